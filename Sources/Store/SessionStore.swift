internal import Core

/// The broker's sessions, queues and retained messages in one file.
///
/// Not Sendable, blocks while the disk works; ``Storage`` gives it a thread. After an error of ``commit(_:mayRepeat:)`` the
/// object is used up: close it and open the file anew.
final class SessionStore {
    let database: Database
    var buffer = EncodingBuffer(capacity: 4096)
    /// How many rows `queue` has for a session; none is left out.
    var entries: [Int64: Int] = [:]
    /// The message whose entries are known to have rows of their own.
    var separateMessage: Int64 = 0
    /// Operations of the commit that is under way may be stored already.
    private(set) var mayRepeat = false
    // What the data path runs.
    var messagePut: Statement?
    var messageDelete: Statement?
    var entryPut: Statement?
    var entryDelete: Statement?

    static let layout = Database.Layout(pageSize: 1024, cacheBytes: 4 << 20, changedBytes: 4 << 20, checkpointBytes: 4 << 20)

    init(path: String, vfs: String? = nil, checkIntegrity: Bool = false) throws(StoreError) {
        database = try Database(path: path, layout: SessionStore.layout, vfs: vfs)
        if checkIntegrity { try database.checkIntegrity() }
        try database.migrate(SessionStore.migrations)
        try database.compactIfMostlyFree()
        try countEntries()
    }

    func close() { database.close() }

    static let migrations = [
        Migration(
            name: "sessions",
            sql: """
                CREATE TABLE session (
                    number INTEGER PRIMARY KEY,
                    client_identifier TEXT NOT NULL,
                    expiry_interval INTEGER NOT NULL, -- s
                    disconnected_at INTEGER           -- ms since 1970, NULL while connected
                );
                CREATE TABLE subscription (
                    session INTEGER NOT NULL,
                    filter TEXT NOT NULL,
                    options INTEGER NOT NULL,
                    identifier INTEGER NOT NULL,
                    PRIMARY KEY (session, filter)
                ) WITHOUT ROWID;
                CREATE TABLE message (
                    number INTEGER PRIMARY KEY,
                    data BLOB NOT NULL,
                    expires_at INTEGER -- ms since 1970, NULL for never
                );
                CREATE TABLE queue (
                    session INTEGER NOT NULL,
                    sequence INTEGER NOT NULL,
                    message INTEGER NOT NULL,
                    flags INTEGER NOT NULL,        -- QoS, 4 for retain, 8 for released
                    subscription_identifiers BLOB, -- 4 bytes each, little-endian
                    PRIMARY KEY (session, sequence)
                ) WITHOUT ROWID;
                CREATE TABLE received (
                    session INTEGER NOT NULL,
                    packet_identifier INTEGER NOT NULL,
                    PRIMARY KEY (session, packet_identifier)
                ) WITHOUT ROWID;
                CREATE TABLE retained (
                    topic TEXT PRIMARY KEY,
                    data BLOB NOT NULL,
                    expires_at INTEGER
                ) WITHOUT ROWID;
                """),
        Migration(
            name: "wills",
            sql: """
                ALTER TABLE session ADD COLUMN will BLOB;           -- a message record, NULL for none
                ALTER TABLE session ADD COLUMN will_delay INTEGER;  -- s
                ALTER TABLE session ADD COLUMN will_expiry INTEGER; -- s, NULL for never
                """),
        Migration(
            name: "message and entry in one row",
            sql: """
                ALTER TABLE message ADD COLUMN session INTEGER; -- NULL when the entries are in queue
                ALTER TABLE message ADD COLUMN sequence INTEGER;
                ALTER TABLE message ADD COLUMN flags INTEGER;   -- as in queue
                ALTER TABLE message ADD COLUMN subscription_identifiers BLOB;
                """),
    ]

    static let retainFlag: Int64 = 4
    static let releasedFlag: Int64 = 8

    /// Stores operations in one transaction, which is on disk on return.
    ///
    /// - Parameter mayRepeat: an earlier commit failed, so some of these operations may be stored already.
    func commit(_ operations: [SessionOperation], mayRepeat: Bool) throws(StoreError) {
        let operations = SessionOperation.coalesced(operations, keepingDeletes: mayRepeat)
        guard !operations.isEmpty else { return }
        self.mayRepeat = mayRepeat
        separateMessage = 0
        try database.transaction { () throws(StoreError) in
            var index = 0
            while index < operations.count {
                if case .putMessage(let number, let message, let expiresAt) = operations[index] {
                    if try putMessage(number, message, expiresAt, at: index, of: operations) { index += 1 }
                } else {
                    try apply(operations[index])
                }
                index += 1
            }
        }
    }

    private func apply(_ operation: SessionOperation) throws(StoreError) {
        switch operation {
        case .putSession(let session):
            try put(session)
        case .deleteSession(let number):
            try run("DELETE FROM session WHERE number = ?", number)
            try run("DELETE FROM subscription WHERE session = ?", number)
            if entries.removeValue(forKey: number) != nil { try run("DELETE FROM queue WHERE session = ?", number) }
            try run("DELETE FROM received WHERE session = ?", number)
        case .putSubscription(let session, let subscription):
            let put = try database.statement("INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?)")
            try put.bind(1, session)
            try put.bind(2, subscription.filter)
            try put.bind(3, Int64(subscription.options))
            try put.bind(4, Int64(subscription.identifier))
            try put.run()
        case .deleteSubscription(let session, let filter):
            let delete = try database.statement("DELETE FROM subscription WHERE session = ? AND filter = ?")
            try delete.bind(1, session)
            try delete.bind(2, filter)
            try delete.run()
        case .putMessage:
            break
        case .deleteMessage(let number):
            try deleteMessage(number)
        case .enqueue(let session, let sequence, let message, let qos, let retain, let identifiers):
            try enqueue(session, sequence, message, qos, retain, identifiers)
        case .setReleased(let session, let sequence):
            try run("UPDATE queue SET flags = flags | 8 WHERE session = ? AND sequence = ?", session, sequence)
        case .dequeue(let session, let sequence):
            try dequeue(session, sequence)
        case .putReceived(let session, let identifier):
            try run("INSERT OR REPLACE INTO received VALUES (?, ?)", session, Int64(identifier))
        case .deleteReceived(let session, let identifier):
            try run(
                "DELETE FROM received WHERE session = ? AND packet_identifier = ?", session, Int64(identifier))
        case .putRetained(let message, let expiresAt):
            try putRetained(message, expiresAt: expiresAt)
        case .deleteRetained(let topic):
            let delete = try database.statement("DELETE FROM retained WHERE topic = ?")
            try delete.bind(1, topic)
            try delete.run()
        }
    }

    private func put(_ session: StoredSession) throws(StoreError) {
        let put = try database.statement("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?)")
        try put.bind(1, session.number)
        try put.bind(2, session.clientIdentifier)
        try put.bind(3, Int64(session.expiryInterval))
        try put.bind(4, session.disconnectedAt?.milliseconds)
        if let will = session.will {
            MessageRecord.encode(will.message, into: &buffer)
            try put.bind(5, inPlace: buffer.bytes)
        } else {
            try put.bind(5, nil as Int64?)
        }
        try put.bind(6, session.will.map { Int64($0.delayInterval) })
        try put.bind(7, session.will?.messageExpiryInterval.map { Int64($0) })
        try put.run()
    }

    private func putRetained(_ message: Message, expiresAt: Timestamp?) throws(StoreError) {
        MessageRecord.encode(message, into: &buffer)
        let put = try database.statement("INSERT OR REPLACE INTO retained VALUES (?, ?, ?)")
        try message.withTopic { topic throws(StoreError) in
            try put.bind(1, textInPlace: topic)
            try put.bind(2, inPlace: buffer.bytes)
            try put.bind(3, expiresAt?.milliseconds)
            try put.run()
        }
    }

    func run(_ sql: StaticString, _ first: Int64, _ second: Int64? = nil) throws(StoreError) {
        let statement = try database.statement(sql)
        try statement.bind(1, first)
        if let second { try statement.bind(2, second) as Void }
        try statement.run()
    }
}
