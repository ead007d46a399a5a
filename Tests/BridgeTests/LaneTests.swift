import Core
import MQTTCodec
import Store
import Testing

@testable import Bridge

/// A lane with a disk of its own: what was committed can be read again.
struct LaneFixture {
    var lane: BridgeLane
    var disk: [CachedMessage] = []
    var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private var batch: Int64 = 0

    init(limits: BridgeLane.Limits = BridgeLane.Limits()) { lane = BridgeLane(name: "up", limits: limits) }

    static func message(
        _ text: String, topic: String = "t", qos: QoS = .atLeastOnce, expiresAt: MonotonicTime = .distantFuture,
        publishedAt: Int64 = 0
    ) -> Message {
        var topic = topic
        return topic.withUTF8 { topic in
            Array(text.utf8).withUnsafeBytes { payload in
                Message.create(
                    topic: UnsafeRawBufferPointer(topic), payload: payload, qos: qos, retain: false,
                    expiresAt: expiresAt, publishedAt: Timestamp(milliseconds: publishedAt))
            }
        }
    }

    mutating func append(_ texts: String...) {
        for text in texts { lane.append(LaneFixture.message(text)) }
    }

    mutating func commit(refused: Int64 = 0) {
        batch += 1
        let taken = lane.takeBatch(batch, now: now)
        if let append = taken?.append {
            for (index, message) in append.messages.dropLast(Int(refused)).enumerated() {
                disk.append(CachedMessage(sequence: append.firstSequence + Int64(index), message: message))
            }
        }
        lane.committed(batch, refused: refused)
    }

    mutating func connect(resumed: Bool = true, receiveMaximum: Int = 65_535, maximumPacketSize: Int = .max) {
        lane.connected(
            BridgeLane.Link(
                version: .v5, isResumed: resumed, receiveMaximum: receiveMaximum, maximumPacketSize: maximumPacketSize),
            now: now)
    }

    /// Everything that may be sent now.
    mutating func send() -> [LanePublish] {
        var sent: [LanePublish] = []
        while let publish = lane.next(now: now) { sent.append(publish) }
        return sent
    }

    mutating func takeRead() throws -> LaneRead {
        let read = lane.takeRead()
        return try #require(read)
    }

    mutating func read() -> Bool {
        guard let read = lane.takeRead() else { return false }
        let page = disk.filter { $0.sequence >= read.from }.prefix(read.maximumCount)
        lane.finishRead(read, Array(page), nextSequence: (page.last?.sequence ?? lane.lastSequence) + 1, damaged: 0)
        return true
    }

    mutating func puback(_ publish: LanePublish, _ reason: ReasonCode = .success) -> BridgeLane.Answer {
        lane.puback(AcknowledgementPacket(packetIdentifier: publish.packetIdentifier, reasonCode: reason), now: now)
    }
}

extension [LanePublish] {
    var texts: [String] { map { String(decoding: $0.message.payload, as: UTF8.self) } }
}

@Suite("BridgeLane")
struct LaneTests {
    @Test("a message is sent after its commit, not before")
    func afterCommit() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a")
        #expect(fixture.send().isEmpty)
        let taken = fixture.lane.takeBatch(1, now: fixture.now)
        #expect(taken?.append?.firstSequence == 1 && taken?.append?.messages.count == 1)
        #expect(fixture.send().isEmpty)
        fixture.lane.committed(1)
        #expect(fixture.send().texts == ["a"])
    }

    @Test("what was given up is not sent, but for what is under way, and what comes after is")
    func givenUp() {
        var fixture = LaneFixture(limits: BridgeLane.Limits())
        fixture.append("a", "b", "c")
        fixture.commit()
        fixture.lane.limits.maximumInFlight = 1
        fixture.connect()
        #expect(fixture.send().texts == ["a"])
        fixture.append("d")
        fixture.lane.giveUp(through: 3)
        #expect(fixture.lane.depth == 4, "a is under way, d is new")
        fixture.lane.disconnected()
        fixture.lane.giveUp(through: 3)
        fixture.commit()
        fixture.connect()
        #expect(fixture.send().texts == ["d"])
        #expect(fixture.lane.depth == 1)
    }

    @Test("what was given up before it was read is skipped")
    func givenUpOnDisk() {
        var lane = BridgeLane(name: "up", lastSequence: 50, acknowledgedSequence: 10)
        lane.giveUp(through: 50)
        #expect(lane.depth == 0)
        lane = BridgeLane(name: "up", lastSequence: 50, acknowledgedSequence: 10)
        lane.giveUp(through: 20)
        #expect(lane.depth == 30)
    }

    @Test("a failed commit gives the same sequences again, with what came meanwhile")
    func commitFailed() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b")
        _ = fixture.lane.takeBatch(1, now: fixture.now)
        fixture.append("c")
        fixture.lane.commitFailed()
        #expect(fixture.send().isEmpty)
        let again = fixture.lane.takeBatch(2, now: fixture.now)?.append
        #expect(again?.firstSequence == 1 && again?.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["a", "b", "c"])
        fixture.lane.committed(2)
        #expect(fixture.send().texts == ["a", "b", "c"])
    }

    @Test("no more are in flight than the configuration and the upstream's Receive Maximum allow", arguments: [(3, 10), (10, 3)])
    func window(own: Int, upstream: Int) {
        var limits = BridgeLane.Limits()
        limits.maximumInFlight = own
        var fixture = LaneFixture(limits: limits)
        fixture.connect(receiveMaximum: upstream)
        fixture.append("a", "b", "c", "d", "e")
        fixture.commit()
        let sent = fixture.send()
        #expect(sent.texts == ["a", "b", "c"])
        #expect(fixture.puback(sent[1]) == .arrived)
        #expect(fixture.send().texts == ["d"])
    }

    @Test("everything unacknowledged is sent again in order with the same identifiers, marked if the session is resumed",
        arguments: [true, false])
    func reconnect(resumed: Bool) {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b", "c")
        fixture.commit()
        let first = fixture.send()
        _ = fixture.puback(first[1])
        fixture.lane.disconnected()
        #expect(fixture.send().isEmpty)
        fixture.connect(resumed: resumed)
        let second = fixture.send()
        #expect(second.texts == ["a", "c"])
        #expect(second.map(\.packetIdentifier) == [first[0], first[2]].map(\.packetIdentifier))
        #expect(second.allSatisfy { $0.duplicate == resumed } && first.allSatisfy { !$0.duplicate })
    }

    @Test("many acknowledgements are due at once, whenever the last were written")
    func manyAcknowledgements() {
        var limits = BridgeLane.Limits()
        limits.acknowledgementCount = 3
        var fixture = LaneFixture(limits: limits)
        fixture.connect()
        fixture.append("a", "b", "c", "d")
        fixture.commit()
        let sent = fixture.send()
        for publish in sent.prefix(2) { _ = fixture.puback(publish) }
        #expect(!fixture.lane.acknowledgementIsDue(now: fixture.now))
        _ = fixture.puback(sent[2])
        #expect(fixture.lane.acknowledgementIsDue(now: fixture.now))
        #expect(fixture.lane.takeBatch(9, now: fixture.now)?.acknowledgement?.through == 3)
        _ = fixture.puback(sent[3])
        #expect(!fixture.lane.acknowledgementIsDue(now: fixture.now))
    }

    @Test("a message is acknowledged to the store when all before it have arrived")
    func acknowledgement() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b", "c")
        fixture.commit()
        let sent = fixture.send()
        _ = fixture.puback(sent[1])
        #expect(!fixture.lane.acknowledgementIsDue(now: fixture.now + .seconds(60)))
        _ = fixture.puback(sent[0])
        #expect(!fixture.lane.acknowledgementIsDue(now: fixture.now))
        fixture.now += .seconds(1)
        #expect(fixture.lane.acknowledgementIsDue(now: fixture.now))
        #expect(fixture.lane.takeBatch(9, now: fixture.now)?.acknowledgement == LaneAcknowledgement(lane: "up", through: 2))
        #expect(!fixture.lane.acknowledgementIsDue(now: fixture.now + .seconds(60)))
        fixture.lane.commitFailed()
        #expect(fixture.lane.takeBatch(10, now: fixture.now)?.acknowledgement?.through == 2)
    }

    @Test("a PUBACK for nothing in flight changes nothing")
    func unexpected() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b")
        fixture.commit()
        let sent = fixture.send()
        #expect(fixture.puback(sent[0]) == .arrived)
        #expect(fixture.puback(sent[0]) == .unexpected)
        for identifier in [0, 3, 65_534, 65_535] as [UInt16] {
            let packet = AcknowledgementPacket(packetIdentifier: identifier)
            #expect(fixture.lane.puback(packet, now: fixture.now) == .unexpected)
        }
        fixture.lane.disconnected()
        #expect(fixture.puback(sent[1]) == .unexpected)
        #expect(fixture.lane.depth == 1)
    }

    @Test("a QoS 0 message needs no PUBACK, but a ping behind it")
    func atMostOnce() {
        var fixture = LaneFixture()
        fixture.connect(receiveMaximum: 1)
        for text in ["a", "b"] { fixture.lane.append(LaneFixture.message(text, qos: .atMostOnce)) }
        fixture.append("c")
        fixture.commit()
        let sent = fixture.send()
        #expect(sent.texts == ["a", "b", "c"] && sent.map(\.packetIdentifier) == [0, 0, 3])
        fixture.lane.confirmed(ping: 1, now: fixture.now)
        #expect(fixture.lane.depth == 1)
        fixture.lane.pinged(1)
        fixture.lane.append(LaneFixture.message("d", qos: .atMostOnce))
        fixture.commit()
        _ = fixture.send()
        fixture.lane.confirmed(ping: 1, now: fixture.now)
        #expect(fixture.lane.unconfirmedCount == 1 && fixture.lane.depth == 2)
    }

    @Test("while the upstream keeps up, nothing is read from disk")
    func livePath() {
        var fixture = LaneFixture()
        fixture.connect()
        for number in 0..<100 {
            fixture.append("\(number)")
            fixture.commit()
            for publish in fixture.send() { _ = fixture.puback(publish) }
            #expect(fixture.lane.takeRead() == nil)
        }
        #expect(fixture.lane.depth == 0)
    }

    @Test("what memory does not hold is read in pages, in order, within the bound")
    func pages() {
        var limits = BridgeLane.Limits()
        limits.maximumBufferedBytes = 2_000
        limits.pageCount = 7
        var fixture = LaneFixture(limits: limits)
        for number in 0..<100 {
            fixture.append("\(number)")
            if number % 3 == 0 { fixture.commit() }
        }
        fixture.commit()
        #expect(fixture.lane.bufferedByteCount <= 2_000)
        fixture.connect()
        var arrived: [String] = []
        var reads = 0
        while arrived.count < 100 {
            let sent = fixture.send()
            if sent.isEmpty, !fixture.read() { break }
            reads += 1
            for publish in sent { #expect(fixture.puback(publish) == .arrived) }
            arrived += sent.texts
            #expect(fixture.lane.bufferedByteCount <= 2_000 + 7 * 140)
            if arrived.count == 50 { fixture.append("live") }
        }
        #expect(arrived.prefix(100) == (0..<100).map(String.init)[...])
        #expect(reads > 10)
    }

    @Test("a lane goes on after a restart where the store says")
    func restart() {
        let lane = BridgeLane(name: "up", lastSequence: 12, acknowledgedSequence: 9)
        var fixture = LaneFixture()
        fixture.lane = lane
        fixture.disk = (1...12).map { CachedMessage(sequence: $0, message: LaneFixture.message("\($0)")) }
        #expect(fixture.lane.depth == 3)
        fixture.append("13")
        #expect(fixture.lane.takeRead() == nil)
        fixture.connect()
        let read = fixture.lane.takeRead()
        #expect(read?.from == 10)
        if let read { fixture.lane.readFailed(read) }
        #expect(fixture.read() == true)
        #expect(fixture.send().texts == ["10", "11", "12"])
        fixture.commit()
        #expect(fixture.send().texts == ["13"])
        #expect(fixture.disk.last?.sequence == 13)
    }

    @Test("what the cache refused or gave up leaves a hole that the lane steps over")
    func holes() throws {
        var fixture = LaneFixture()
        fixture.append("a", "b", "c")
        fixture.commit(refused: 2)
        fixture.append("d")
        fixture.commit()
        fixture.connect()
        #expect(fixture.send().texts == ["a", "d"])
        #expect(fixture.lane.statistics.dropped == 2)
        // A page that begins with a hole.
        fixture = LaneFixture()
        fixture.lane = BridgeLane(name: "up", lastSequence: 10, acknowledgedSequence: 2)
        fixture.connect()
        let read = try fixture.takeRead()
        fixture.lane.finishRead(
            read, [CachedMessage(sequence: 8, message: LaneFixture.message("8"))], nextSequence: 11, damaged: 0)
        let sent = fixture.send()
        #expect(sent.texts == ["8"])
        _ = fixture.puback(sent[0])
        #expect(fixture.lane.depth == 0 && fixture.lane.takeRead() == nil)
    }

    @Test("what was committed while a page was read is not taken for a hole")
    func commitDuringRead() throws {
        var fixture = LaneFixture()
        fixture.lane = BridgeLane(name: "up", lastSequence: 2, acknowledgedSequence: 0)
        fixture.connect()
        let read = try fixture.takeRead()
        #expect(read.from == 1)
        fixture.append("3")
        fixture.commit()
        let page = (1...2).map { CachedMessage(sequence: $0, message: LaneFixture.message("\($0)")) }
        fixture.lane.finishRead(read, page, nextSequence: 4, damaged: 0)
        #expect(fixture.lane.takeRead()?.from == 3)
    }

    @Test("messages that a failed commit left on disk, and a read found, are not counted twice")
    func readAheadOfCommit() throws {
        var fixture = LaneFixture()
        fixture.lane = BridgeLane(name: "up", lastSequence: 1, acknowledgedSequence: 0)
        fixture.connect()
        fixture.append("2", "3")
        _ = fixture.lane.takeBatch(1, now: fixture.now)
        fixture.lane.commitFailed()
        let read = try fixture.takeRead()
        #expect(read.from == 1)
        let page = (1...3).map { CachedMessage(sequence: $0, message: LaneFixture.message("\($0)")) }
        fixture.lane.finishRead(read, page, nextSequence: 4, damaged: 0)
        #expect(fixture.send().texts == ["1", "2", "3"])
        #expect(fixture.lane.takeBatch(2, now: fixture.now)?.append?.firstSequence == 2)
        fixture.lane.committed(2)
        #expect(fixture.send().isEmpty)
        fixture.append("4")
        #expect(fixture.lane.takeBatch(3, now: fixture.now)?.append?.firstSequence == 4)
        fixture.lane.committed(3)
        #expect(fixture.send().texts == ["4"] && fixture.lane.depth == 4)
    }

    private func loss(_ reason: CacheLoss.Reason, _ sequences: ClosedRange<Int64>, _ messages: Int64) -> CacheLoss {
        let time = Timestamp(milliseconds: 0)
        return CacheLoss(lane: "up", messages: messages, reason: reason, sequences: sequences, oldest: time, newest: time)
    }

    @Test("what the cache has dropped is not sent from memory", arguments: [CacheLoss.Reason.size, .age, .purged])
    func droppedInMemory(reason: CacheLoss.Reason) {
        var fixture = LaneFixture()
        fixture.append("a", "b", "c", "d")
        fixture.commit()
        fixture.lane.follow(loss(reason, 1...3, 3))
        fixture.connect()
        #expect(fixture.send().texts == ["d"])
    }

    @Test("what was thinned is read from the disk again, and what was sent before stays")
    func thinnedInMemory() {
        var fixture = LaneFixture()
        fixture.lane.limits.maximumInFlight = 1
        fixture.connect()
        fixture.append("a", "b", "c", "d", "e")
        fixture.commit()
        let sent = fixture.send()
        fixture.disk.removeAll { [1, 3].contains($0.sequence) }
        fixture.lane.follow(loss(.thinned, 1...4, 2))
        fixture.lane.limits.maximumInFlight = 100
        #expect(fixture.read() == true)
        #expect(fixture.send().texts == ["b", "d", "e"])
        _ = fixture.puback(sent[0])
        #expect(fixture.lane.depth == 4)
    }

    @Test("thinning behind what is in memory leaves it alone")
    func thinnedBehind() {
        var fixture = LaneFixture()
        fixture.append("a", "b")
        fixture.commit()
        fixture.lane.limits.maximumBufferedBytes = 1
        fixture.append("c", "d")
        fixture.commit()
        fixture.lane.follow(loss(.thinned, 4...9, 1))
        fixture.connect()
        #expect(fixture.send().texts == ["a", "b"])
    }

    @Test("what an abandoned read brings is not taken for the next one's")
    func abandonedRead() throws {
        var fixture = LaneFixture()
        fixture.lane = BridgeLane(name: "up", lastSequence: 4, acknowledgedSequence: 0)
        fixture.connect()
        func page(_ sequences: ClosedRange<Int64>) -> [CachedMessage] {
            sequences.map { CachedMessage(sequence: $0, message: LaneFixture.message("\($0)")) }
        }
        let first = try fixture.takeRead()
        fixture.lane.finishRead(first, page(1...2), nextSequence: 3, damaged: 0)
        let second = try fixture.takeRead()
        #expect(second.from == 3)
        fixture.lane.rereadUnsent()
        let third = try fixture.takeRead()
        #expect(third.from == 1)
        fixture.lane.finishRead(second, page(3...4), nextSequence: 5, damaged: 0)
        fixture.lane.readFailed(second)
        #expect(fixture.send().isEmpty && fixture.lane.takeRead() == nil)
        fixture.lane.finishRead(third, page(1...4), nextSequence: 5, damaged: 0)
        #expect(fixture.send().texts == ["1", "2", "3", "4"])
    }

    @Test("messages that wait are those on disk and before it, less those whose arrival the disk does not know yet")
    func waiting() {
        var fixture = LaneFixture()
        fixture.append("a", "b", "c", "d", "e")
        #expect(fixture.lane.waitingMessages(stored: 0) == 5)
        fixture.commit()
        #expect(fixture.lane.waitingMessages(stored: 5) == 5)
        fixture.lane.follow(loss(.size, 1...2, 2))
        #expect(fixture.lane.waitingMessages(stored: 3) == 3)
        fixture.connect()
        let sent = fixture.send()
        _ = fixture.puback(sent[1])
        #expect(fixture.lane.waitingMessages(stored: 3) == 3, "the one before it has not arrived")
        _ = fixture.puback(sent[0])
        #expect(fixture.lane.waitingMessages(stored: 3) == 1)
        fixture.append("f")
        fixture.commit()
        #expect(fixture.lane.waitingMessages(stored: 2) == 2)
    }

    @Test("a message says whether its time is uncertain, from memory as from the disk")
    func uncertainTime() throws {
        var fixture = LaneFixture()
        fixture.lane = BridgeLane(name: "up", lastSequence: 2, acknowledgedSequence: 0)
        fixture.connect()
        let read = try fixture.takeRead()
        let page = [true, false].enumerated().map { index, isUncertain in
            CachedMessage(sequence: Int64(index) + 1, message: LaneFixture.message("x"), isTimeUncertain: isUncertain)
        }
        fixture.lane.finishRead(read, page, nextSequence: 3, damaged: 0)
        for (number, isKnown) in [(Int64(1), false), (2, true)] {
            fixture.append("y")
            _ = fixture.lane.takeBatch(number, now: fixture.now)
            fixture.lane.committed(number, isTimeKnown: isKnown)
        }
        #expect(fixture.send().map(\.isTimeUncertain) == [true, false, true, false])
    }

    @Test("what waits for the disk is bounded; QoS 0 gives way first")
    func uncommitted() {
        var limits = BridgeLane.Limits()
        limits.maximumUncommittedBytes = 100
        var fixture = LaneFixture(limits: limits)
        let text = String(repeating: "x", count: 29)
        #expect(fixture.lane.append(LaneFixture.message(text, qos: .atMostOnce)) == true)
        #expect(fixture.lane.append(LaneFixture.message(text, qos: .atMostOnce)) == false)
        _ = fixture.lane.takeBatch(1, now: fixture.now)
        #expect(fixture.lane.append(LaneFixture.message(text)) == true)
        #expect(fixture.lane.append(LaneFixture.message(text)) == true)
        #expect(fixture.lane.append(LaneFixture.message(text)) == false)
        #expect(fixture.lane.statistics.overflowed == 2 && fixture.lane.takeSkipped().spans[.storage]?.messages == 2)
        fixture.lane.committed(1)
        #expect(fixture.lane.append(LaneFixture.message(text)) == true)
    }

    @Test("an upstream that takes messages and acknowledges none is given up")
    func stalled() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.now += .seconds(300)
        #expect(!fixture.lane.isStalled(now: fixture.now))
        fixture.append("a")
        fixture.commit()
        _ = fixture.send()
        #expect(!fixture.lane.isStalled(now: fixture.now + .seconds(59)))
        #expect(fixture.lane.isStalled(now: fixture.now + .seconds(60)))
    }

    @Test("packet identifiers go round and stay in the range of the lane")
    func identifiers() {
        var fixture = LaneFixture()
        fixture.connect()
        var last: UInt16 = 0
        var highest: UInt16 = 0
        for _ in 0..<4_000 {
            fixture.append("a")
            fixture.commit()
            fixture.disk = []
            for publish in fixture.send() {
                if publish.packetIdentifier != last % 3_275 + 1 {
                    Issue.record("\(publish.packetIdentifier) follows \(last)")
                    return
                }
                last = publish.packetIdentifier
                highest = max(highest, last)
                _ = fixture.puback(publish)
            }
        }
        #expect(highest == 3_275 && last == 725)
    }
}
