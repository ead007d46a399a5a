import Core
import MQTTCodec
import Testing

@testable import Bridge
@testable import Store

/// A route with a disk that takes every batch.
private struct RouteFixture {
    var route: BridgeRoute
    var disk: [String: [CachedMessage]] = [:]
    var acknowledged: [String: Int64] = [:]
    var removed: [String] = []
    var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private var number: Int64 = 0

    init(order: BridgeRoute.Order = .liveFirst, index: Int = 0, stored: [LaneStatus] = []) {
        route = BridgeRoute(
            bridge: "cloud", priority: 5, index: index, order: order, limits: BridgeLane.Limits(), stored: stored)
    }

    mutating func append(_ range: ClosedRange<Int>) {
        for number in range { route.append(LaneFixture.message("\(number)")) }
        commit()
    }

    mutating func commit(fails: Bool = false) {
        number += 1
        let batch = route.takeBatch(number, now: now)
        if fails { return route.commitFailed() }
        for append in batch.appends {
            for (index, message) in append.messages.enumerated() {
                disk[append.lane, default: []].append(
                    CachedMessage(sequence: append.firstSequence + Int64(index), message: message))
            }
        }
        for acknowledgement in batch.acknowledgements { acknowledged[acknowledgement.lane] = acknowledgement.through }
        for lane in batch.removals {
            disk[lane] = nil
            removed.append(lane)
        }
        route.committed(number, losses: [], now: now)
    }

    mutating func connect() {
        route.connected(BridgeLane.Link(version: .v5, isResumed: true), now: now)
    }

    /// Reads whatever the route asks for.
    mutating func read() {
        while let read = route.takeRead() {
            let page = (disk[read.lane] ?? []).filter { $0.sequence >= read.from }.prefix(read.maximumCount)
            route.withLane(read.lane) { lane in
                lane.finishRead(read, Array(page), nextSequence: (page.last?.sequence ?? lane.lastSequence) + 1, damaged: 0)
            }
        }
    }

    /// What a lane has to send.
    mutating func send(_ lane: Int) -> [LanePublish] {
        read()
        var sent: [LanePublish] = []
        while let publish = route.lanes[lane].next(now: now) { sent.append(publish) }
        return sent
    }

    mutating func puback(_ publishes: [LanePublish]) {
        for publish in publishes {
            let answer = route.puback(AcknowledgementPacket(packetIdentifier: publish.packetIdentifier), now: now)
            #expect(answer == .arrived)
        }
        route.removeDrained()
    }

    /// The state of the disk, as a start of the program finds it.
    var stored: [LaneStatus] {
        disk.compactMap { name, messages in
            guard let last = messages.last else { return nil }
            let through = acknowledged[name] ?? 0
            let waiting = messages.filter { $0.sequence > through }
            return LaneStatus(
                lane: name, firstSequence: waiting.first?.sequence, lastSequence: last.sequence,
                acknowledgedSequence: through, messages: Int64(waiting.count), bytes: 1, blocks: 1, oldestPublishedAt: nil)
        }
    }
}

@Suite("BridgeRoute")
struct RouteTests {
    @Test("what has waited for a connection is sealed, and what is published then goes beside it")
    func seals() {
        var fixture = RouteFixture()
        fixture.append(1...100)
        fixture.connect()
        fixture.append(101...103)
        let live = fixture.send(1)
        let backfill = fixture.send(0)
        #expect(live.texts == ["101", "102", "103"] && live.allSatisfy { !$0.isBackfill })
        #expect(backfill.texts == (1...100).map(String.init) && backfill.allSatisfy(\.isBackfill))
        #expect(live.map(\.sequence) == [101, 102, 103])
        #expect(Set((live + backfill).map(\.packetIdentifier)).count == 103)
    }

    @Test("a sealed lane is removed when all of it has arrived, with a batch, and again if that fails")
    func removes() {
        var fixture = RouteFixture()
        fixture.append(1...100)
        fixture.connect()
        fixture.append(101...101)
        fixture.puback(fixture.send(0))
        #expect(fixture.route.lanes.map(\.name) == ["cloud/5#2"])
        #expect(fixture.route.needsBatch(now: fixture.now))
        fixture.commit(fails: true)
        #expect(fixture.removed == [])
        fixture.commit()
        #expect(fixture.removed == ["cloud/5#1"] && fixture.disk.keys.sorted() == ["cloud/5#2"])
        fixture.puback(fixture.send(0))
        #expect(fixture.route.depth == 0 && fixture.route.statistics.acknowledged == 101)
    }

    @Test("the live lane is never removed, so that sequences go on")
    func keepsLive() {
        var fixture = RouteFixture()
        fixture.connect()
        fixture.append(1...3)
        fixture.puback(fixture.send(0))
        fixture.commit()
        #expect(fixture.route.lanes.count == 1 && fixture.removed == [])
    }

    @Test("a few messages are sent in their order, and are back-fill all the same")
    func smallBacklog() {
        var fixture = RouteFixture()
        fixture.append(1...3)
        fixture.connect()
        fixture.append(4...4)
        let sent = fixture.send(0)
        #expect(fixture.route.lanes.count == 1 && sent.texts == ["1", "2", "3", "4"])
        #expect(sent.map(\.isBackfill) == [true, true, true, false])
    }

    @Test("in strict order there is one lane, whatever happens")
    func strict() {
        var fixture = RouteFixture(order: .strict)
        fixture.append(1...80)
        fixture.connect()
        fixture.append(81...82)
        #expect(fixture.route.lanes.count == 1 && fixture.send(0).texts == (1...82).map(String.init))
    }

    @Test("several outages are drained one after the other, the oldest first")
    func severalOutages() {
        var fixture = RouteFixture()
        fixture.append(1...50)
        fixture.connect()
        fixture.route.disconnected()
        fixture.append(51...100)
        fixture.connect()
        fixture.route.disconnected()
        fixture.append(101...150)
        fixture.connect()
        fixture.append(151...151)
        #expect(fixture.route.lanes.count == 4)
        #expect(fixture.send(1).isEmpty && fixture.send(2).isEmpty)
        var order: [String] = []
        while fixture.route.lanes.count > 1 {
            let sent = fixture.send(0)
            order += sent.texts
            fixture.puback(sent)
        }
        #expect(order == (1...150).map(String.init))
        #expect(fixture.send(0).texts == ["151"])
    }

    @Test("a start finds the lanes of an earlier run, and goes on with numbers and generations")
    func restart() {
        var fixture = RouteFixture()
        fixture.append(1...60)
        fixture.connect()
        fixture.append(61...62)
        fixture.puback(Array(fixture.send(0).prefix(10)))
        fixture.now += .seconds(2)
        fixture.commit()
        var second = RouteFixture(stored: fixture.stored + [LaneStatus.other])
        second.disk = fixture.disk
        #expect(second.route.lanes.map(\.name) == ["cloud/5#1", "cloud/5#2"] && second.route.depth == 52)
        second.append(63...100)
        second.connect()
        second.append(101...101)
        #expect(second.route.lanes.map(\.name) == ["cloud/5#1", "cloud/5#2", "cloud/5#3"])
        #expect(second.send(0).texts.first == "11" && second.send(2).texts == ["101"] && second.route.lastSequence == 101)
    }

    @Test("a lane from before there were routes is the usual route's first")
    func olderLane() {
        let old = LaneStatus(
            lane: "cloud", firstSequence: 4, lastSequence: 9, acknowledgedSequence: 3, messages: 6, bytes: 1, blocks: 1,
            oldestPublishedAt: nil)
        let fixture = RouteFixture(stored: [old])
        #expect(fixture.route.lanes.map(\.name) == ["cloud"] && fixture.route.depth == 6)
    }

    @Test("a link that comes and goes does not make lanes without end")
    func boundedLanes() {
        var fixture = RouteFixture()
        for round in 0..<200 {
            fixture.append(round * 40...round * 40 + 39)
            fixture.connect()
            fixture.route.disconnected()
        }
        #expect(fixture.route.lanes.count < BridgeRoute.maximumLanes)
        #expect(fixture.route.depth == 8_000)
    }

    @Test("a PUBACK for another route's lane is not this one's")
    func otherRoute() {
        var fixture = RouteFixture(index: 1)
        #expect(fixture.route.puback(AcknowledgementPacket(packetIdentifier: 1), now: fixture.now) == nil)
        #expect(fixture.route.puback(AcknowledgementPacket(packetIdentifier: 65_534), now: fixture.now) == nil)
        #expect(fixture.route.puback(AcknowledgementPacket(packetIdentifier: 2 * 3_275 + 1), now: fixture.now) == .unexpected)
    }

    @Test("names of lanes are read, and others are not", arguments: [
        ("cloud/5#3", "cloud 5 3"), ("cloud", "cloud 5 0"), ("a/b/9#0", "a/b 9 0"), ("cloud/10#1", nil), ("cloud/5", nil),
        ("cloud/5#", nil), ("cloud/5#-1", nil), ("cloud/x#1", nil),
    ] as [(String, String?)])
    func names(text: String, expected: String?) {
        #expect(LaneName(text).map { "\($0.bridge) \($0.priority) \($0.generation)" } == expected)
    }

    @Test("a route's name is a bridge's with a priority behind the last stroke", arguments: [
        ("cloud/5", "cloud 5"), ("a/b/9", "a/b 9"), ("a#b/0", "a#b 0"), ("cloud", nil), ("cloud/10", nil), ("/5", nil), ("cloud/", nil),
    ] as [(String, String?)])
    func routeNames(text: String, expected: String?) {
        let name = RouteName(text)
        #expect(name.map { "\($0.bridge) \($0.priority)" } == expected)
        #expect(name.map { "\($0)" } ?? text == text)
    }
}

extension LaneStatus {
    fileprivate static var other: LaneStatus {
        LaneStatus(
            lane: "other/5#1", firstSequence: 1, lastSequence: 1, acknowledgedSequence: 0, messages: 1, bytes: 1, blocks: 1,
            oldestPublishedAt: nil)
    }
}
