import Core
import TestSupport
import Testing

@testable import Store

@Suite("Session store")
struct SessionStoreTests {
    private let directory = TemporaryDirectory()

    private func open() throws -> SessionStore { try SessionStore(path: directory.file("sessions.db")) }

    @Test("what was committed is there after the file is opened again", arguments: 1...20)
    func roundTrip(seed: UInt64) throws {
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        var random = SeededRandom(seed: seed)
        var generator = OperationGenerator()
        var model = StoreModel()
        for _ in 0..<6 {
            let store = try SessionStore(path: directory.file("sessions.db"))
            let batch = generator.batch(60, &random)
            for operation in batch { model.apply(operation) }
            try store.commit(batch, mayRepeat: false)
            store.close()
            let loaded = try SessionStore(path: directory.file("sessions.db")).load(at: start)
            #expect(StoreModel(loaded) == model, "seed \(seed)")
            #expect(loaded.damagedRecords == 0)
        }
    }

    @Test("the same batch may be stored twice")
    func idempotence() throws {
        var random = SeededRandom(seed: 4)
        var generator = OperationGenerator()
        let batch = generator.batch(300, &random)
        var model = StoreModel()
        for operation in batch { model.apply(operation) }
        let store = try open()
        try store.commit(batch, mayRepeat: false)
        try store.commit(batch, mayRepeat: true)
        #expect(StoreModel(try store.load(at: start)) == model)
    }

    @Test("a message's remaining life goes on counting while the box is off")
    func expiry() throws {
        let store = try open()
        let expiresAt = start.after(.seconds(60)).wall
        try store.commit(
            [
                .putSession(StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: start.wall)),
                .putMessage(number: 1, makeMessage("t", [1]), expiresAt: expiresAt),
                .enqueue(session: 1, sequence: 1, message: 1, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
                .putRetained(makeMessage("r", [1], retain: true), expiresAt: expiresAt),
            ], mayRepeat: false)
        // Forty seconds later on the wall clock; the other clock has started anew.
        let later = Moment(wall: start.after(.seconds(40)).wall, monotonic: MonotonicTime(nanoseconds: 1_000_000_000))
        let loaded = try store.load(at: later)
        #expect(loaded.messages[1]?.expiresAt == MonotonicTime(nanoseconds: 21_000_000_000))
        #expect(loaded.retained.first?.expiresAt == MonotonicTime(nanoseconds: 21_000_000_000))
    }

    @Test("a session's will is kept with it, replaced with it and taken away with it")
    func will() throws {
        let will = StoredWill(
            topic: "w", payload: [1, 2], qos: .exactlyOnce, retain: true, properties: [1, 1], delayInterval: 30,
            messageExpiryInterval: 60)
        let store = try open()
        func commit(_ will: StoredWill?) throws -> StoredWill? {
            let session = StoredSession(
                number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: start.wall, will: will)
            try store.commit([.putSession(session)], mayRepeat: false)
            return try store.load(at: start).sessions.first?.session.will
        }
        #expect(try commit(will) == will)
        let plain = StoredWill(topic: "v", payload: [], qos: .atMostOnce, retain: false)
        #expect(try commit(plain) == plain)
        #expect(try commit(nil) == nil)
    }

    @Test("a damaged will is left out and counted; the session stays")
    func damagedWill() throws {
        let store = try open()
        let will = StoredWill(topic: "w", payload: [1], qos: .atLeastOnce, retain: false)
        try store.commit(
            [
                .putSession(
                    StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: nil, will: will))
            ], mayRepeat: false)
        try store.database.execute("UPDATE session SET will = x'0102030405060708'")
        let loaded = try store.load(at: start)
        #expect(loaded.damagedRecords == 1)
        #expect(loaded.sessions.count == 1 && loaded.sessions[0].session.will == nil)
    }

    @Test("a file from before wills were stored opens with all that is in it")
    func oldFile() throws {
        let path = directory.file("sessions.db")
        let old = try Database(path: path, layout: SessionStore.layout)
        try old.migrate([SessionStore.migrations[0]])
        var record = EncodingBuffer(capacity: 64)
        MessageRecord.encode(makeMessage("t", [1]), into: &record)
        let hex = record.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try old.execute(
            """
            INSERT INTO session VALUES (7, 'old', 60, NULL);
            INSERT INTO subscription VALUES (7, 'a', 1, 0);
            INSERT INTO message VALUES (3, x'\(hex)', NULL), (4, x'\(hex)', NULL);
            INSERT INTO queue VALUES (7, 1, 3, 1, NULL), (7, 2, 4, 1, NULL);
            """)
        old.close()
        let store = try open()
        var loaded = try store.load(at: start)
        #expect(loaded.sessions.map(\.session.clientIdentifier) == ["old"])
        #expect(loaded.sessions[0].subscriptions.map(\.filter) == ["a"])
        #expect(loaded.sessions[0].session.will == nil && loaded.damagedRecords == 0)
        #expect(loaded.sessions[0].queue.map(\.message) == [3, 4])
        // A message of now goes behind those.
        try store.commit(
            [
                .putMessage(number: 5, makeMessage("t", [2]), expiresAt: nil),
                .enqueue(session: 7, sequence: 3, message: 5, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
                .dequeue(session: 7, sequence: 1), .deleteMessage(number: 3),
            ], mayRepeat: false)
        loaded = try store.load(at: start)
        #expect(loaded.sessions[0].queue.map(\.message) == [4, 5] && loaded.messages.count == 2)
        #expect(try store.database.integer("SELECT count(*) FROM queue") == 1)
    }

    @Test("a message of QoS 1 for one session is one row, which goes when it is delivered")
    func oneRow() throws {
        let store = try open()
        try store.commit(
            [
                .putSession(StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: nil)),
                .putMessage(number: 1, makeMessage("t", [1]), expiresAt: nil),
                .enqueue(session: 1, sequence: 1, message: 1, qos: .atLeastOnce, retain: true, subscriptionIdentifiers: [7]),
                .putMessage(number: 2, makeMessage("t", [2]), expiresAt: nil),
                .enqueue(session: 1, sequence: 2, message: 2, qos: .exactlyOnce, retain: false, subscriptionIdentifiers: []),
            ], mayRepeat: false)
        #expect(try store.database.integer("SELECT count(*) FROM queue") == 1)
        let queue = try store.load(at: start).sessions[0].queue
        #expect(queue.map(\.sequence) == [1, 2] && queue.map(\.qos) == [.atLeastOnce, .exactlyOnce])
        #expect(queue[0].retain && queue[0].subscriptionIdentifiers == [7])
        try store.commit([.dequeue(session: 1, sequence: 1), .deleteMessage(number: 1)], mayRepeat: false)
        #expect(try store.load(at: start).sessions[0].queue.map(\.sequence) == [2])
        #expect(try store.database.integer("SELECT count(*) FROM message") == 1)
    }

    @Test("queue entries come sorted by sequence")
    func order() throws {
        let store = try open()
        var batch: [SessionOperation] = [
            .putSession(StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: nil)),
            .putMessage(number: 1, makeMessage("t", [1]), expiresAt: nil),
        ]
        for sequence: Int64 in [5, 300, 2, 70_000, 1] {
            batch.append(
                .enqueue(
                    session: 1, sequence: sequence, message: 1, qos: .atLeastOnce, retain: false,
                    subscriptionIdentifiers: []))
        }
        try store.commit(batch, mayRepeat: false)
        #expect(try store.load(at: start).sessions[0].queue.map(\.sequence) == [1, 2, 5, 300, 70_000])
    }

    @Test("a damaged message is left out, counted once and gone at the next start")
    func damagedMessage() throws {
        let store = try open()
        try store.commit(
            [
                .putSession(StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: nil)),
                .putMessage(number: 1, makeMessage("t", [1]), expiresAt: nil),
                .putMessage(number: 2, makeMessage("t", [2]), expiresAt: nil),
                .enqueue(session: 1, sequence: 1, message: 1, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
                .enqueue(session: 1, sequence: 2, message: 2, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
            ], mayRepeat: false)
        try store.database.execute("UPDATE message SET data = x'0102030405060708' WHERE number = 1")
        let loaded = try store.load(at: start)
        #expect(loaded.damagedRecords == 2)
        #expect(loaded.sessions[0].queue.map(\.sequence) == [2])
        #expect(try store.load(at: start).damagedRecords == 0)
    }

    @Test("numbers that nobody has given are damage and left out")
    func wildNumbers() throws {
        let store = try open()
        try store.commit(
            [
                .putSession(StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 9, disconnectedAt: start.wall)),
                .putMessage(number: 1, makeMessage("t", [1]), expiresAt: nil),
                .enqueue(session: 1, sequence: 1, message: 1, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
                .enqueue(session: 1, sequence: 2, message: 1, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
                .enqueue(session: 1, sequence: 3, message: 2, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
                .putMessage(number: 2, makeMessage("t", [1]), expiresAt: nil),
            ], mayRepeat: false)
        try store.database.execute(
            """
            INSERT INTO session (number, client_identifier, expiry_interval) VALUES (9223372036854775807, 'd', 9);
            UPDATE session SET disconnected_at = -9223372036854775808 WHERE number = 1;
            UPDATE queue SET sequence = 4611686018427387904 WHERE sequence = 2;
            UPDATE queue SET message = 9223372036854775807 WHERE sequence = 3;
            UPDATE message SET number = 9223372036854775807 WHERE number = 2;
            """)
        let loaded = try store.load(at: start)
        #expect(loaded.sessions.map(\.session.number) == [1])
        #expect(loaded.sessions[0].session.disconnectedAt == nil)
        #expect(loaded.sessions[0].queue.map(\.sequence) == [1])
        #expect(Array(loaded.messages.keys) == [1])
        #expect(loaded.damagedRecords == 4)
    }

    @Test("a message that no queue refers to is deleted at the start")
    func orphan() throws {
        let store = try open()
        try store.commit([.putMessage(number: 1, makeMessage("t", [1]), expiresAt: nil)], mayRepeat: false)
        let loaded = try store.load(at: start)
        #expect(loaded.messages.isEmpty && loaded.damagedRecords == 0)
        #expect(try store.database.integer("SELECT count(*) FROM message") == 0)
    }
}

@Suite("Database")
struct DatabaseTests {
    private let directory = TemporaryDirectory()

    private func open() throws -> Database {
        try Database(path: directory.file("x.db"), layout: SessionStore.layout)
    }

    @Test("migrations run once, in order, and new ones are added at the end")
    func migrations() throws {
        let first = Migration(name: "one", sql: "CREATE TABLE a (x)")
        let second = Migration(name: "two", sql: "INSERT INTO a VALUES (7)")
        var database = try open()
        try database.migrate([first])
        database.close()
        database = try open()
        try database.migrate([first, second])
        try database.migrate([first, second])
        #expect(try database.integer("SELECT sum(x) FROM a") == 7)
    }

    @Test("a migration that fails leaves nothing behind")
    func failedMigration() throws {
        let database = try open()
        #expect(throws: StoreError.self) {
            try database.migrate([Migration(name: "one", sql: "CREATE TABLE a (x); CREATE TABLE a (x)")])
        }
        #expect(try database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'a'") == 0)
    }

    @Test("a file of a newer version is refused, not taken for damaged")
    func newerFile() throws {
        let database = try open()
        try database.migrate([Migration(name: "one", sql: ""), Migration(name: "two", sql: "")])
        let error = #expect(throws: StoreError.self) { try database.migrate([Migration(name: "one", sql: "")]) }
        #expect(error?.isDamage == false)
        #expect(error?.description.contains("\"two\"") == true)
    }

    @Test("an error carries SQLite's name and the statement")
    func errors() throws {
        let error = #expect(throws: StoreError.self) { try open().execute("SELECT nothing FROM nowhere") }
        #expect(error?.description.hasPrefix("SQLITE_ERROR: ") == true)
        #expect(error?.description.hasSuffix("(in: SELECT nothing FROM nowhere)") == true)
    }

    @Test("the journal mode changes to and fro without losing rows")
    func journalModes() throws {
        let database = try open()
        try database.execute("CREATE TABLE a (x)")
        for number in 0..<6 {
            try database.setJournalMode(number % 2 == 0 ? .persist : .wal)
            try database.execute("INSERT INTO a VALUES (1)")
        }
        database.close()
        #expect(try open().integer("SELECT sum(x) FROM a") == 6)
    }
}
