/// What the start of each payload says, so that its receiver knows where it belongs and how long it took.
///
///     ┌─────────┬─────────────┬────────────┬────────┬───────────┐
///     │ round 4 │ publisher 4 │ sequence 4 │ zero 4 │ sent at 8 │   bytes, in the machine's order
///     └─────────┴─────────────┴────────────┴────────┴───────────┘
struct MessageStamp: Equatable {
    /// Bytes of a stamp; a payload has at least as many.
    static let size = 24

    /// Tells rounds and runs apart, so that a message of an earlier one is recognised.
    var round: UInt32
    var publisher: UInt32
    /// From 0 on, per publisher.
    var sequence: UInt32
    /// Monotonic, nanoseconds.
    var sentAt: Int64

    init(round: UInt32, publisher: UInt32, sequence: UInt32, sentAt: Int64) {
        self.round = round
        self.publisher = publisher
        self.sequence = sequence
        self.sentAt = sentAt
    }

    /// The stamp at the start of a payload; nil if it is too short.
    @inline(__always)
    init?(_ payload: UnsafeRawBufferPointer) {
        guard payload.count >= MessageStamp.size, let base = payload.baseAddress else { return nil }
        round = base.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        publisher = base.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        sequence = base.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        sentAt = base.loadUnaligned(fromByteOffset: 16, as: Int64.self)
    }

    /// - Parameter payload: at least ``size`` bytes.
    @inline(__always)
    func write(to payload: UnsafeMutableRawBufferPointer) {
        precondition(payload.count >= MessageStamp.size)
        payload.storeBytes(of: round, toByteOffset: 0, as: UInt32.self)
        payload.storeBytes(of: publisher, toByteOffset: 4, as: UInt32.self)
        payload.storeBytes(of: 0, toByteOffset: 12, as: UInt32.self)
        payload.storeBytes(of: sequence, toByteOffset: 8, as: UInt32.self)
        payload.storeBytes(of: sentAt, toByteOffset: 16, as: Int64.self)
    }
}
