public import Core
import MQTTCodec
public import Store

// A route is what a bridge carries with one priority. Its messages wait in lanes, one behind the other:
//
//     live first:   ┌ sealed lane ┐ ┌ sealed lane ┐ ┌ live lane ┐
//                   │  back-fill  │ │    waits    │ │           │ <── append
//                   └──────┬──────┘ └─────────────┘ └─────┬─────┘
//                          │ with what the rates leave    │ at once
//                          ▼                              ▼
//     strict:       one lane, everything in its order
//
// When a connection comes back and finds a backlog, the lane that holds it is sealed and a new one takes what is published
// from then on: what happens now is not held up by what has happened. A sealed lane is drained from its front, and removed
// when the disk knows that all of it has arrived. A lane is a queue with one position, so nothing has to remember which
// messages in its middle have arrived already.

/// The messages of a bridge that have one priority, from their publish to their arrival. A value without I/O or clock.
public struct BridgeRoute {
    public enum Order: Sendable, Equatable {
        /// What is published now goes before what has waited for a connection.
        case liveFirst
        /// Everything in the order in which it was published.
        case strict
    }

    /// What a batch has of a route.
    public struct Batch {
        public var appends: [LaneAppend] = []
        public var acknowledgements: [LaneAcknowledgement] = []
        /// Lanes that are over.
        public var removals: [String] = []

        public var isEmpty: Bool { appends.isEmpty && acknowledgements.isEmpty && removals.isEmpty }
    }

    /// As ``RouteName`` writes it.
    public let name: String
    /// 0…9; the greater is sent first.
    public let priority: Int
    public var order: Order
    public internal(set) var limits: BridgeLane.Limits
    /// Oldest first; the last is the live one.
    public internal(set) var lanes: [BridgeLane]
    private var generation: Int64
    /// Lanes that are over but may still be on disk, and the batch that removes them.
    private var leaving: [(lane: String, batch: Int64?)] = []
    /// Of lanes that are gone.
    private var past = BridgeLaneStatistics()
    private var pastSkipped = SkippedMessages()
    /// The two ranges of packet identifiers that the route's lanes share: one for the live lane, one for the oldest sealed one.
    private let slots: [Int]

    /// Lanes at most; beyond that the live one takes the backlog along.
    static let maximumLanes = 64

    /// - Parameters:
    ///   - index: the route's place among those of its bridge, 0…9.
    ///   - stored: the state of all lanes on disk; others' are left alone.
    public init(
        bridge: String, priority: Int, index: Int, order: Order, limits: BridgeLane.Limits, stored: [LaneStatus]
    ) {
        let route = RouteName(bridge: bridge, priority: priority)
        name = "\(route)"
        self.priority = priority
        self.order = order
        self.limits = limits
        slots = [2 * index, 2 * index + 1]
        lanes = []
        generation = 0
        let mine = stored.compactMap { status in
            LaneName(status.lane).flatMap { $0.route == route ? ($0.generation, status) : nil }
        }
        for (number, status) in mine.sorted(by: { $0.0 < $1.0 }) {
            generation = number
            var lane = BridgeLane(
                name: status.lane, limits: limits, lastSequence: status.lastSequence,
                acknowledgedSequence: max(
                    status.acknowledgedSequence, status.firstSequence.map { $0 - 1 } ?? status.lastSequence))
            lane.slot = nil
            lanes.append(lane)
        }
        if lanes.isEmpty { addLane(after: 0) }
        assignSlots()
    }

    var live: BridgeLane {
        get { lanes[lanes.count - 1] }
        _modify { yield &lanes[lanes.count - 1] }
    }

    /// Whether a sealed lane is being drained.
    public var isBackfilling: Bool { lanes.count > 1 }

    /// Of the last message appended; goes on over lanes and restarts.
    public var lastSequence: Int64 { lanes[lanes.count - 1].lastSequence }

    /// Messages that have not arrived.
    public var depth: Int64 { lanes.reduce(0) { $0 + $1.depth } }

    public var hasAppends: Bool { lanes.contains(where: \.hasAppends) }

    public var uncommittedBytes: Int { lanes.reduce(0) { $0 + $1.uncommittedBytes } }

    public var inFlightCount: Int { lanes.reduce(0) { $0 + $1.inFlightCount } }

    public var unconfirmedCount: Int { lanes.reduce(0) { $0 + $1.unconfirmedCount } }

    /// Of all lanes that the route has had since the program started.
    public var statistics: BridgeLaneStatistics {
        var sum = past
        for lane in lanes { sum += lane.statistics }
        return sum
    }

    /// What was skipped since the last call.
    mutating func takeSkipped() -> SkippedMessages {
        var sum = pastSkipped
        pastSkipped = SkippedMessages()
        for index in lanes.indices { sum += lanes[index].takeSkipped() }
        return sum
    }

    /// Whether all that it ever had has arrived, and no lane but the live one is left of it.
    var isOver: Bool { lanes.count == 1 && live.isDrained && inFlightCount == 0 && leaving.isEmpty }

    mutating func setLimits(_ limits: BridgeLane.Limits) {
        self.limits = limits
        for index in lanes.indices { lanes[index].limits = limits }
    }

    public func owns(_ lane: String) -> Bool { lanes.contains { $0.name == lane } }

    // MARK: Lanes

    private mutating func addLane(after sequence: Int64) {
        generation += 1
        var lane = BridgeLane(
            name: "\(name)#\(generation)", limits: limits, lastSequence: sequence,
            acknowledgedSequence: sequence)
        lane.slot = nil
        lanes.append(lane)
    }

    /// Gives the live lane and the oldest sealed one a range of packet identifiers each. A lane in the middle has none: it
    /// does not send, and what it had sent is sent again as new.
    private mutating func assignSlots() {
        let last = lanes.count - 1
        for index in lanes.indices where index != 0 && index != last { lanes[index].slot = nil }
        for index in Set([0, last]) where lanes[index].slot == nil {
            lanes[index].slot = slots.first { slot in !lanes.contains { $0.slot == slot } }
        }
    }

    /// Whether more waits in the live lane than `backlog`, or, where there are many lanes already, than several times that: a
    /// few small ones cost nothing, and a large number has to hold whatever the cache does.
    private func maySeal(backlog: Int64) -> Bool {
        order == .liveFirst && lanes.count < BridgeRoute.maximumLanes && live.depth > backlog << (Int64(lanes.count - 1) / 4)
    }

    /// Ends the live lane; what is published from now on goes into a new one.
    private mutating func seal(_ link: BridgeLane.Link?, now: MonotonicTime) {
        addLane(after: live.lastSequence)
        assignSlots()
        if let link { live.connected(link, now: now) }
    }

    // MARK: The connection

    /// The upstream accepted a connection.
    public mutating func connected(_ link: BridgeLane.Link, now: MonotonicTime) {
        if maySeal(backlog: limits.smallBacklog) { seal(nil, now: now) }
        for index in lanes.indices { lanes[index].connected(link, now: now) }
    }

    /// The connection ended.
    public mutating func disconnected() {
        for index in lanes.indices { lanes[index].disconnected() }
    }

    mutating func pinged(_ count: UInt64) {
        for index in lanes.indices { lanes[index].pinged(count) }
    }

    mutating func confirmed(ping number: UInt64, now: MonotonicTime) {
        for index in lanes.indices { lanes[index].confirmed(ping: number, now: now) }
    }

    /// PUBACK with a packet identifier of one of the route's lanes; nil if it is none of theirs.
    mutating func puback(_ packet: AcknowledgementPacket, now: MonotonicTime) -> BridgeLane.Answer? {
        guard let slot = BridgeLane.slot(of: packet.packetIdentifier), slots.contains(slot) else { return nil }
        guard let index = lanes.firstIndex(where: { $0.slot == slot }) else { return .unexpected }
        return lanes[index].puback(packet, now: now)
    }

    /// Whether an upstream that is slower than what is published has left so much of the live lane behind that it is history:
    /// more than the memory holds. Then it is sealed, so that what is published now is seen now.
    mutating func sealIfBehind(_ link: BridgeLane.Link, now: MonotonicTime) {
        guard live.isReadingFromDisk, !live.hasBackfill, maySeal(backlog: Int64(limits.pageCount)) else { return }
        lanes[lanes.count - 1].backfillThrough = live.lastSequence
        seal(link, now: now)
    }

    // MARK: Batches

    /// Adds a message at the end; false if too much waits for the disk already. See ``BridgeLane/append(_:)``.
    @discardableResult
    public mutating func append(_ message: Message) -> Bool { live.append(message) }

    public func needsBatch(now: MonotonicTime) -> Bool {
        hasAppends || lanes.contains { $0.acknowledgementIsDue(now: now) } || leaving.contains { $0.batch == nil }
    }

    /// What the route puts into a batch that is closed now.
    public mutating func takeBatch(_ number: Int64, now: MonotonicTime) -> Batch {
        var batch = Batch()
        for index in lanes.indices {
            guard let part = lanes[index].takeBatch(number, now: now) else { continue }
            if let append = part.append { batch.appends.append(append) }
            if let acknowledgement = part.acknowledgement { batch.acknowledgements.append(acknowledgement) }
        }
        for index in leaving.indices {
            batch.removals.append(leaving[index].lane)
            if leaving[index].batch == nil { leaving[index].batch = number }
        }
        return batch
    }

    /// The batch with this number, and all before it, are on disk.
    ///
    /// - Parameters:
    ///   - losses: what the cache lost with it, of any lane.
    ///   - isTimeKnown: whether the times of what it held are right.
    public mutating func committed(_ number: Int64, losses: [CacheLoss], isTimeKnown: Bool = true, now: MonotonicTime) {
        for index in lanes.indices {
            var refused: Int64 = 0
            var dropped: Int64 = 0
            for loss in losses where loss.lane == lanes[index].name {
                switch loss.reason {
                case .newest: refused += loss.messages
                // Counted by the read that found it.
                case .damaged: break
                case .size, .age, .thinned, .purged: dropped += loss.messages
                }
            }
            lanes[index].committed(number, refused: refused, dropped: dropped, isTimeKnown: isTimeKnown, now: now)
            for loss in losses where loss.lane == lanes[index].name { lanes[index].follow(loss) }
        }
        leaving.removeAll { $0.batch.map { $0 <= number } ?? false }
        removeDrained()
    }

    /// The batch under way is not on disk; what it held is given again with the next one.
    public mutating func commitFailed() {
        for index in lanes.indices { lanes[index].commitFailed() }
        for index in leaving.indices { leaving[index].batch = nil }
    }

    /// Lets go of sealed lanes whose messages have all arrived.
    mutating func removeDrained() {
        guard lanes.count > 1 else { return }
        var hasChanged = false
        while lanes.count > 1, lanes[0].isDrained, lanes[0].inFlightCount == 0 {
            past += lanes[0].statistics
            pastSkipped += lanes[0].takeSkipped()
            leaving.append((lanes[0].name, nil))
            lanes.removeFirst()
            hasChanged = true
        }
        if hasChanged { assignSlots() }
    }

    // MARK: Reads

    /// The read that is to be made now, of a lane that may send.
    public mutating func takeRead() -> LaneRead? {
        for index in lanes.indices.reversed() where lanes[index].slot != nil {
            if let read = lanes[index].takeRead() { return read }
        }
        return nil
    }

    /// Messages that have not arrived, without those that the cache has given up.
    ///
    /// - Parameter stored: the state of all lanes on disk.
    func waitingMessages(stored: [LaneStatus]) -> Int64 {
        lanes.reduce(0) { sum, lane in
            sum + lane.waitingMessages(stored: stored.first { $0.lane == lane.name }?.messages ?? 0)
        }
    }

    mutating func rereadUnsent() {
        for index in lanes.indices { lanes[index].rereadUnsent() }
    }

    mutating func withLane(_ name: String, _ body: (inout BridgeLane) -> Void) {
        guard let index = lanes.firstIndex(where: { $0.name == name }) else { return }
        body(&lanes[index])
    }
}
