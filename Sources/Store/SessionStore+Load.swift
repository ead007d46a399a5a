internal import Core

extension SessionStore {
    /// Reads everything. Records that are damaged or belong to nothing are left out, counted and deleted.
    func load(at now: Moment) throws(StoreError) -> SessionSnapshot {
        var loader = SessionLoader(database: database, now: now)
        try loader.load()
        return loader.snapshot
    }
}

private struct SessionLoader {
    let database: Database
    let now: Moment
    var snapshot = SessionSnapshot()
    /// What the numbers of sessions, messages and queue entries can be.
    private static let numbers: ClosedRange<Int64> = 1...1 << 53
    private static let times: ClosedRange<Int64> = 0...1 << 53
    /// Entries that may be over between two that are not. The broker fills holes, and its own are smaller.
    private static let largestHole: Int64 = 1 << 20

    /// Where a session stands in the snapshot, by its number.
    private var index: [Int64: Int] = [:]
    private var damagedMessages: [Int64] = []
    private var damagedTopics: [String] = []

    init(database: Database, now: Moment) {
        self.database = database
        self.now = now
    }

    mutating func load() throws(StoreError) {
        try countOrphans()
        try database.unlessFull { () throws(StoreError) in try deleteOrphans() }
        try loadSessions()
        try loadMessages()
        try loadQueues()
        sortQueues()
        try loadRetained()
        if snapshot.damagedRecords > 0 { try database.unlessFull { () throws(StoreError) in try deleteDamaged() } }
    }

    private mutating func countOrphans() throws(StoreError) {
        snapshot.damagedRecords += Int(
            truncatingIfNeeded: try database.integer(
                """
                SELECT (SELECT count(*) FROM subscription WHERE session NOT IN (SELECT number FROM session))
                    + (SELECT count(*) FROM queue WHERE session NOT IN (SELECT number FROM session))
                    + (SELECT count(*) FROM message
                        WHERE session IS NOT NULL AND session NOT IN (SELECT number FROM session))
                    + (SELECT count(*) FROM received WHERE session NOT IN (SELECT number FROM session))
                """) ?? 0)
    }

    /// Messages that no queue refers to any more are what a batch leaves when its delete came with a later one that was
    /// lost; they are not damage.
    private func deleteOrphans() throws(StoreError) {
        try database.transaction { () throws(StoreError) in
            try database.execute(
                """
                DELETE FROM subscription WHERE session NOT IN (SELECT number FROM session);
                DELETE FROM queue WHERE session NOT IN (SELECT number FROM session);
                DELETE FROM received WHERE session NOT IN (SELECT number FROM session);
                DELETE FROM message WHERE session IS NOT NULL AND session NOT IN (SELECT number FROM session);
                DELETE FROM message WHERE session IS NULL AND number NOT IN (SELECT message FROM queue);
                """)
        }
    }

    private mutating func loadMessages() throws(StoreError) {
        snapshot.messages.reserveCapacity(Int(try database.integer("SELECT count(*) FROM message") ?? 0))
        let select = try database.statement(
            """
            SELECT session, sequence, number, flags, subscription_identifiers, data, expires_at FROM message
            ORDER BY number
            """)
        while try select.step() {
            let number = select.integer(2)
            let expiresAt = now.monotonicTime(of: select.optionalInteger(6).map { Timestamp(milliseconds: $0) })
            guard SessionLoader.numbers.contains(number),
                let message = select.withBytes(5, { MessageRecord.decode($0, expiresAt: expiresAt) })
            else {
                snapshot.damagedRecords += 1
                damagedMessages.append(number)
                continue
            }
            snapshot.messages[number] = message
            if select.isNull(0) { continue }
            guard let session = index[select.integer(0)] else { continue }
            if let entry = SessionSnapshot.QueueEntry(row: select) {
                snapshot.sessions[session].queue.append(entry)
            } else {
                snapshot.damagedRecords += 1
            }
        }
    }

    private mutating func loadSessions() throws(StoreError) {
        let select = try database.statement(
            """
            SELECT number, client_identifier, expiry_interval, disconnected_at, will, will_delay, will_expiry
            FROM session ORDER BY number
            """)
        while try select.step() {
            guard SessionLoader.numbers.contains(select.integer(0)) else {
                snapshot.damagedRecords += 1
                continue
            }
            var session = StoredSession(
                number: select.integer(0), clientIdentifier: select.text(1),
                expiryInterval: UInt32(clamping: select.integer(2)), disconnectedAt: SessionLoader.time(select, 3))
            if !select.isNull(4) {
                session.will = StoredWill(row: select)
                if session.will == nil { snapshot.damagedRecords += 1 }
            }
            index[session.number] = snapshot.sessions.count
            snapshot.sessions.append(SessionSnapshot.Session(session: session))
        }
    }

    /// A column that holds a time; nil when there is none, or one that no clock has shown.
    private static func time(_ row: Statement, _ column: Int32) -> Timestamp? {
        row.optionalInteger(column).flatMap { times.contains($0) ? Timestamp(milliseconds: $0) : nil }
    }

    private mutating func loadQueues() throws(StoreError) {
        let subscriptions = try database.statement("SELECT session, filter, options, identifier FROM subscription")
        while try subscriptions.step() {
            guard let session = index[subscriptions.integer(0)] else { continue }
            let filter = subscriptions.text(1)
            guard TopicFilter(filter) != nil, let options = UInt8(exactly: subscriptions.integer(2)),
                let identifier = UInt32(exactly: subscriptions.integer(3))
            else {
                snapshot.damagedRecords += 1
                continue
            }
            snapshot.sessions[session].subscriptions.append(
                StoredSubscription(filter: filter, options: options, identifier: identifier))
        }
        let received = try database.statement("SELECT session, packet_identifier FROM received")
        while try received.step() {
            guard let session = index[received.integer(0)] else { continue }
            guard let identifier = UInt16(exactly: received.integer(1)), identifier > 0 else {
                snapshot.damagedRecords += 1
                continue
            }
            snapshot.sessions[session].receivedPacketIdentifiers.append(identifier)
        }
        let entries = try database.statement(
            "SELECT session, sequence, message, flags, subscription_identifiers FROM queue ORDER BY session, sequence")
        while try entries.step() {
            guard let session = index[entries.integer(0)] else { continue }
            guard let entry = SessionSnapshot.QueueEntry(row: entries),
                entry.released || snapshot.messages[entry.message] != nil
            else {
                snapshot.damagedRecords += 1
                continue
            }
            snapshot.sessions[session].queue.append(entry)
        }
    }

    /// Brings the entries of both tables into their order, and leaves out those whose place makes no sense.
    private mutating func sortQueues() {
        for session in snapshot.sessions.indices {
            var queue: [SessionSnapshot.QueueEntry] = []
            swap(&queue, &snapshot.sessions[session].queue)
            if !queue.isEmpty, zip(queue, queue.dropFirst()).contains(where: { $0.sequence >= $1.sequence }) {
                queue.sort { $0.sequence < $1.sequence }
            }
            let count = queue.count
            var last: Int64?
            queue.removeAll { entry in
                guard SessionLoader.numbers.contains(entry.sequence),
                    (1...SessionLoader.largestHole).contains(entry.sequence - (last ?? entry.sequence - 1))
                else { return true }
                last = entry.sequence
                return false
            }
            snapshot.damagedRecords += count - queue.count
            swap(&queue, &snapshot.sessions[session].queue)
        }
    }

    private mutating func loadRetained() throws(StoreError) {
        let select = try database.statement("SELECT data, expires_at, topic FROM retained")
        while try select.step() {
            let expiresAt = now.monotonicTime(of: select.optionalInteger(1).map { Timestamp(milliseconds: $0) })
            if let message = select.withBytes(0, { MessageRecord.decode($0, expiresAt: expiresAt) }) {
                snapshot.retained.append(message)
            } else {
                snapshot.damagedRecords += 1
                damagedTopics.append(select.text(2))
            }
        }
    }

    private func deleteDamaged() throws(StoreError) {
        try database.transaction { () throws(StoreError) in
            let deleteMessage = try database.statement("DELETE FROM message WHERE number = ?")
            for number in damagedMessages {
                try deleteMessage.bind(1, number)
                try deleteMessage.run()
            }
            let deleteRetained = try database.statement("DELETE FROM retained WHERE topic = ?")
            for topic in damagedTopics {
                try deleteRetained.bind(1, topic)
                try deleteRetained.run()
            }
            try database.execute(
                "DELETE FROM queue WHERE flags & 8 = 0 AND message NOT IN (SELECT number FROM message)")
        }
    }
}

extension StoredWill {
    /// nil when the record is damaged.
    fileprivate init?(row: Statement) {
        guard let message = row.withBytes(4, { MessageRecord.decode($0, expiresAt: .distantFuture) }) else { return nil }
        self.init(
            topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain,
            properties: message.withProperties { Array($0) }, delayInterval: UInt32(clamping: row.integer(5)),
            messageExpiryInterval: row.optionalInteger(6).map { UInt32(clamping: $0) })
    }

    /// As it is recorded; the times stand beside it.
    var message: Message {
        var topic = topic
        return topic.withUTF8 { topic in
            properties.withUnsafeBytes { properties in
                payload.withUnsafeBytes { payload in
                    Message.create(
                        topic: UnsafeRawBufferPointer(topic), properties: properties, payload: payload, qos: qos,
                        retain: retain, publishedAt: Timestamp(milliseconds: 0))
                }
            }
        }
    }
}

extension SessionSnapshot.QueueEntry {
    /// nil when the row's flags make no sense.
    fileprivate init?(row: Statement) {
        let flags = row.integer(3)
        guard flags & ~15 == 0, let qos = QoS(rawValue: UInt8(flags & 3)) else { return nil }
        self.init(
            sequence: row.integer(1), message: row.integer(2), qos: qos,
            retain: flags & SessionStore.retainFlag != 0, released: flags & SessionStore.releasedFlag != 0,
            subscriptionIdentifiers: row.withBytes(4) { bytes in
                var cursor = ByteCursor(bytes)
                var identifiers: [UInt32] = []
                while let identifier = cursor.littleEndian(UInt32.self) { identifiers.append(identifier) }
                return identifiers
            })
    }
}
