internal import Core

// Where the messages of the queues lie. Most messages wait for one session, with QoS 1: such a message and its entry are one
// row of `message`, which is added at the end of the table and taken away by its number. The entries of a message for
// several sessions, and those of QoS 2, which change when they are released, have rows of their own in `queue`.

extension SessionStore {
    /// Puts a message, together with its entry if that is the only one.
    ///
    /// - Returns: whether the next operation, its entry, is done too.
    func putMessage(
        _ number: Int64, _ message: Message, _ expiresAt: Timestamp?, at index: Int, of operations: [SessionOperation]
    ) throws(StoreError) -> Bool {
        let put = try messagePut.get { () throws(StoreError) in
            try database.statement("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?)")
        }
        MessageRecord.encode(message, into: &buffer)
        try put.bind(1, number)
        try put.bind(2, inPlace: buffer.bytes)
        try put.bind(3, expiresAt?.milliseconds)
        if !mayRepeat, index + 1 < operations.count,
            case .enqueue(let session, let sequence, number, .atLeastOnce, let retain, let identifiers) = operations[index + 1],
            !SessionStore.isEntry(of: number, at: index + 2, of: operations)
        {
            try put.bind(4, session)
            try put.bind(5, sequence)
            try put.bind(6, SessionStore.flags(.atLeastOnce, retain))
            try put.bind(7, SessionStore.bytes(of: identifiers))
            try put.run()
            return true
        }
        for column: Int32 in 4...7 { try put.bind(column, nil as Int64?) }
        try put.run()
        separateMessage = number
        return false
    }

    private static func isEntry(of number: Int64, at index: Int, of operations: [SessionOperation]) -> Bool {
        guard index < operations.count, case .enqueue(_, _, number, _, _, _) = operations[index] else { return false }
        return true
    }

    private static func flags(_ qos: QoS, _ retain: Bool) -> Int64 {
        Int64(qos.rawValue) | (retain ? SessionStore.retainFlag : 0)
    }

    /// Adds an entry with a row of its own.
    func enqueue(
        _ session: Int64, _ sequence: Int64, _ message: Int64, _ qos: QoS, _ retain: Bool, _ identifiers: [UInt32]
    ) throws(StoreError) {
        if message != separateMessage {
            try separate(message)
            separateMessage = message
        }
        let put = try entryPut.get { () throws(StoreError) in
            try database.statement("INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?)")
        }
        try put.bind(1, session)
        try put.bind(2, sequence)
        try put.bind(3, message)
        try put.bind(4, SessionStore.flags(qos, retain))
        try put.bind(5, SessionStore.bytes(of: identifiers))
        try put.run()
        entries[session, default: 0] += 1
    }

    /// Gives the entry that is in a message's row a row of its own.
    private func separate(_ message: Int64) throws(StoreError) {
        let select = try database.statement("SELECT session FROM message WHERE number = ? AND session IS NOT NULL")
        try select.bind(1, message)
        guard try select.step() else { return }
        entries[select.integer(0), default: 0] += 1
        select.reset()
        try run(
            """
            INSERT OR REPLACE INTO queue
            SELECT session, sequence, number, flags, subscription_identifiers FROM message WHERE number = ?
            """, message)
        try run("UPDATE message SET session = NULL WHERE number = ?", message)
    }

    /// Takes an entry away. One that is in a message's row goes with that: it is the only one, so the message is deleted too.
    func dequeue(_ session: Int64, _ sequence: Int64) throws(StoreError) {
        guard let count = entries[session] else { return }
        let delete = try entryDelete.get { () throws(StoreError) in
            try database.statement("DELETE FROM queue WHERE session = ? AND sequence = ?")
        }
        try delete.bind(1, session)
        try delete.bind(2, sequence)
        try delete.run()
        if database.changes > 0 { entries[session] = count > 1 ? count - 1 : nil }
    }

    func deleteMessage(_ number: Int64) throws(StoreError) {
        let delete = try messageDelete.get { () throws(StoreError) in
            try database.statement("DELETE FROM message WHERE number = ?")
        }
        try delete.bind(1, number)
        try delete.run()
    }

    /// Counts the rows of `queue` by session.
    func countEntries() throws(StoreError) {
        let select = try database.statement("SELECT session, count(*) FROM queue GROUP BY session")
        while try select.step() { entries[select.integer(0)] = Int(truncatingIfNeeded: select.integer(1)) }
    }

    /// NULL for none.
    private static func bytes(of identifiers: [UInt32]) -> [UInt8]? {
        guard !identifiers.isEmpty else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(identifiers.count * 4)
        for identifier in identifiers {
            withUnsafeBytes(of: identifier.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}

extension Optional where Wrapped == Statement {
    /// The statement, prepared at the first use: to look it up each time costs as much as to bind it.
    fileprivate mutating func get(_ prepare: () throws(StoreError) -> Statement) throws(StoreError) -> Statement {
        if let self { return self }
        let statement = try prepare()
        self = statement
        return statement
    }
}
