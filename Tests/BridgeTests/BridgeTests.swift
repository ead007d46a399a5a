import Broker
import Core
import MQTTCodec
import NIOCore
import NIOEmbedded
import Store
import Testing

@testable import Bridge

@Suite("Bridge")
struct BridgeTests {
    private static func filter(_ text: String) throws -> TopicFilter { try #require(TopicFilter(text)) }

    /// Forwards `/sys/#` with a prefix and `raw/#` as it is; receives what is meant for the site.
    private func fixture() throws -> BridgeFixture {
        try BridgeFixture { configuration in
            let sys = try BridgeTests.filter("/sys/#")
            let down = try BridgeTests.filter("site/7/sys/#")
            configuration.forwards = [
                .init(filter: sys, mapping: try .replacing(nil, with: "site/7", in: sys)),
                .init(filter: try BridgeTests.filter("raw/#"), keepsRetain: false),
            ]
            configuration.receives = [.init(filter: down, mapping: try .replacing("site/7", with: nil, in: down))]
        }
    }

    @Test("it connects with its session and subscribes with No Local")
    func connects() throws {
        let fixture = try fixture()
        try fixture.start()
        let sent = try fixture.sent()
        #expect(sent.map(\.type) == [.connect, .subscribe])
        let packet = try sent[1].body.withUnsafeBytes { try SubscribePacket.read(body: $0, version: .v5) }
        #expect(packet.requests.map(\.filter) == ["site/7/sys/#"])
        #expect(packet.requests.allSatisfy { $0.options.qos == .atLeastOnce && $0.options.noLocal })
        guard case .connected = fixture.bridge.status.state else {
            Issue.record("\(fixture.bridge.status.state)")
            return
        }
    }

    @Test("a local message goes upstream under its mapped name once it is committed")
    func forwards() throws {
        let fixture = try fixture()
        try fixture.start()
        _ = try fixture.sent()
        fixture.publish("/sys/m/1", "21", commits: false)
        #expect(try fixture.publishes() == [])
        fixture.commit()
        #expect(try fixture.publishes() == ["site/7/sys/m/1=21 #1"])
        fixture.publish("other", "x")
        #expect(try fixture.publishes() == [])
    }

    @Test("a QoS 0 message is cached too and sent with the route's QoS")
    func forwardsAtMostOnce() throws {
        let fixture = try fixture()
        fixture.bridge.start()
        fixture.publish("raw/a", "1", qos: .atMostOnce)
        #expect(fixture.bridge.status.messages == 1)
        try fixture.start()
        #expect(try fixture.publishes() == ["raw/a=1 #1"])
    }

    @Test("the retain flag goes with the message where the route keeps it and the upstream takes it", arguments: [true, false])
    func retainFlag(available: Bool) throws {
        let fixture = try fixture()
        var properties = Properties()
        properties.retainAvailable = available
        try fixture.start(PacketBytes.connack(properties: properties))
        _ = try fixture.sent()
        fixture.publish("/sys/a", "kept", retain: true)
        fixture.publish("raw/a", "cleared", retain: true)
        #expect(try fixture.sent().map { $0.flags & 1 == 1 } == [available, false])
    }

    @Test("what is retained when a new bridge starts goes upstream too")
    func retainedAtStart() throws {
        let fixture = try fixture()
        fixture.publish("/sys/a", "old", retain: true)
        fixture.bridge.start()
        fixture.commit()
        try fixture.start()
        #expect(try fixture.publishes() == ["site/7/sys/a=old #1"])
    }

    @Test("what is retained when a new bridge starts stays here where the route says so")
    func retainedStays() throws {
        let fixture = try BridgeFixture { configuration in
            var quiet = BridgeConfiguration.Forward(filter: try BridgeTests.filter("a/#"))
            quiet.sendsRetained = false
            configuration.forwards = [quiet, .init(filter: try BridgeTests.filter("b/#"))]
        }
        fixture.publish("a/x", "old", retain: true)
        fixture.publish("b/x", "old", retain: true)
        fixture.bridge.start()
        fixture.commit()
        try fixture.start()
        fixture.publish("a/x", "new", retain: true)
        #expect(try fixture.publishes() == ["b/x=old #1", "a/x=new #2"])
    }

    @Test("a retained message from upstream is retained here unless the route clears the flag", arguments: [true, false])
    func retainedFromUpstream(keeps: Bool) throws {
        let fixture = try BridgeFixture { configuration in
            configuration.receives = [.init(filter: try BridgeTests.filter("down/#"), keepsRetain: keeps)]
        }
        try fixture.start()
        let subscriber = fixture.subscribe("down/#")
        try fixture.upstream(PacketBytes.publish("down/a", "go", retain: true))
        #expect(subscriber.received == ["down/a=go"])
        #expect(fixture.subscribe("down/+").received == (keeps ? ["down/a=go"] : []))
    }

    @Test("a message of two routes goes up under both names, and once if they are the same")
    func twoRoutes() throws {
        let fixture = try BridgeFixture { configuration in
            let all = try BridgeTests.filter("a/#")
            configuration.forwards = [
                .init(filter: all), .init(filter: try BridgeTests.filter("a/b")),
                .init(filter: all, mapping: try .replacing(nil, with: "copy/", in: all)),
            ]
        }
        try fixture.start()
        _ = try fixture.sent()
        fixture.publish("a/b", "x")
        #expect(try fixture.publishes() == ["a/b=x #1", "copy/a/b=x #2"])
    }

    @Test("an upstream message is published under its local name and acknowledged at once if nothing has to be stored")
    func receives() throws {
        let fixture = try fixture()
        let local = fixture.subscribe("/sys/#")
        try fixture.start()
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.publish("site/7/sys/m/1/set", "on", identifier: 5))
        #expect(local.received == ["/sys/m/1/set=on"])
        #expect(try fixture.sent().map { [UInt16($0.type.rawValue), $0.identifier] } == [[4, 5]])
    }

    @Test("an upstream message is acknowledged upstream only after what it left here is committed")
    func acknowledgesAfterCommit() throws {
        let fixture = try fixture()
        fixture.subscribeOffline("/sys/#")
        try fixture.start()
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.publish("site/7/sys/m/1/set", "on", identifier: 5))
        try fixture.upstream(PacketBytes.publish("site/8/unknown", "x", identifier: 6))
        #expect(try fixture.sent().isEmpty)
        fixture.commit()
        // In the order in which they came [MQTT-4.6.0-2], the one that has no name here too.
        #expect(try fixture.sent().map(\.identifier) == [5, 6])
        #expect(fixture.bridge.status.counts.unmapped == 1)
    }

    @Test("what was to be acknowledged on a lost connection is not acknowledged on the next")
    func staleAcknowledgement() throws {
        let fixture = try fixture()
        fixture.subscribeOffline("/sys/#")
        try fixture.start()
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", identifier: 5))
        try fixture.channel?.close().wait()
        fixture.wait(.seconds(2))
        try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        _ = try fixture.sent()
        fixture.commit()
        #expect(try fixture.sent().isEmpty)
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", identifier: 5, dup: true))
        fixture.commit()
        #expect(try fixture.sent().map(\.identifier) == [5])
    }

    @Test("an upstream QoS 2 message is published once")
    func receivesExactlyOnce() throws {
        let fixture = try fixture()
        let local = fixture.subscribe("/sys/#")
        try fixture.start()
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", qos: .exactlyOnce, identifier: 9))
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", qos: .exactlyOnce, identifier: 9, dup: true))
        try fixture.upstream(PacketBytes.acknowledgement(.pubrel, 9))
        #expect(local.received == ["/sys/a=1"])
        // What is known of it has to be on disk.
        #expect(try fixture.sent().isEmpty)
        fixture.commit()
        #expect(try fixture.sent().map(\.type) == [.pubrec, .pubrec, .pubcomp])
    }

    @Test("an upstream may leave any number of QoS 2 messages unreleased, and each is known again on the next connection")
    func manyUnreleased() throws {
        let fixture = try fixture()
        let local = fixture.subscribe("/sys/#")
        try fixture.start()
        let identifiers: ClosedRange<UInt16> = 1...3_000
        for connection in 0..<2 {
            _ = try fixture.sent()
            for identifier in identifiers {
                try fixture.upstream(
                    PacketBytes.publish(
                        "site/7/sys/a", "\(identifier)", qos: .exactlyOnce, identifier: identifier, dup: connection > 0))
            }
            fixture.commit()
            #expect(try fixture.sent().filter { $0.type == .pubrec }.map(\.identifier) == Array(identifiers))
            try fixture.channel?.close().wait()
            fixture.wait(.seconds(2))
            try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        }
        #expect(local.received == identifiers.map { "/sys/a=\($0)" })
    }

    @Test("an upstream QoS 2 message is known again on the next connection of its session")
    func resumesExactlyOnce() throws {
        let fixture = try fixture()
        let local = fixture.subscribe("/sys/#")
        try fixture.start()
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", qos: .exactlyOnce, identifier: 9))
        fixture.commit()
        fixture.bridge.stop()
        try fixture.start(PacketBytes.connack(sessionPresent: true))
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", qos: .exactlyOnce, identifier: 9, dup: true))
        fixture.commit()
        #expect(local.received == ["/sys/a=1"])
        #expect(try fixture.sent().map(\.type) == [.pubrec])
    }

    @Test("without a session upstream, an identifier seen before means a new message")
    func newSession() throws {
        let fixture = try fixture()
        let local = fixture.subscribe("/sys/#")
        try fixture.start()
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "1", qos: .exactlyOnce, identifier: 9))
        try fixture.channel?.close().wait()
        fixture.wait(.seconds(2))
        try fixture.upstream(PacketBytes.connack(sessionPresent: false))
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "2", qos: .exactlyOnce, identifier: 9))
        #expect(local.received == ["/sys/a=1", "/sys/a=2"])
    }

    @Test("what came from the upstream does not go back, whichever route matches")
    func noLoop() throws {
        let fixture = try BridgeFixture { configuration in
            let all = try BridgeTests.filter("#")
            configuration.forwards = [
                .init(filter: try BridgeTests.filter("a/#")), .init(filter: all, mapping: try .replacing(nil, with: "up/", in: all)),
            ]
            configuration.receives = [.init(filter: all)]
        }
        let local = fixture.subscribe("a/#")
        try fixture.start()
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.publish("a/b", "from above", identifier: 1))
        fixture.commit()
        #expect(local.received == ["a/b=from above"])
        #expect(try fixture.publishes() == [])
        #expect(fixture.bridge.status.messages == 0)
        fixture.publish("a/b", "local")
        #expect(try fixture.publishes() == ["a/b=local #1", "up/a/b=local #2"])
    }

    @Test("after a lost connection what has not arrived is sent again, marked as a duplicate")
    func resends() throws {
        let fixture = try fixture()
        try fixture.start()
        fixture.publish("raw/a", "1")
        fixture.publish("raw/a", "2")
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 1))
        try fixture.channel?.close().wait()
        #expect(fixture.bridge.status.lastError == "connection lost")
        fixture.publish("raw/a", "3")
        fixture.wait(.seconds(2))
        #expect(fixture.connections == 2)
        try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        #expect(try fixture.publishes() == ["raw/a=2 #2 dup", "raw/a=3 #3"])
        #expect(fixture.bridge.status.messages == 2)
        #expect(fixture.bridge.status.lastError != nil && fixture.bridge.status.lastErrorAt != nil, "why the last one ended stays known")
    }

    @Test("a resumed session with our subscriptions is not subscribed again")
    func subscribesOnce() throws {
        let fixture = try fixture()
        try fixture.start()
        try fixture.upstream(PacketBytes.suback(65_535, [.grantedQoS1]))
        for (present, expected) in [(true, 0), (false, 1)] {
            try fixture.channel?.close().wait()
            fixture.wait(.seconds(5))
            try fixture.upstream(PacketBytes.connack(sessionPresent: present))
            #expect(try fixture.sent().filter { $0.type == .subscribe }.count == expected)
        }
    }

    @Test("the upstream's Receive Maximum and Maximum Packet Size are kept")
    func limits() throws {
        let fixture = try fixture()
        var properties = Properties()
        properties.receiveMaximum = 2
        properties.maximumPacketSize = 40
        try fixture.start(PacketBytes.connack(properties: properties))
        _ = try fixture.sent()
        fixture.publish("raw/a", String(repeating: "x", count: 50))
        for number in 1...3 { fixture.publish("raw/a", "\(number)") }
        #expect(try fixture.publishes() == ["raw/a=1 #2", "raw/a=2 #3"])
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 2))
        #expect(try fixture.publishes() == ["raw/a=3 #4"])
        #expect(fixture.bridge.status.lane.tooLarge == 1)
    }

    @Test("a report of losses goes by the most important route under its own name")
    func report() throws {
        let fixture = try fixture()
        try fixture.start()
        _ = try fixture.sent()
        fixture.bridge.report(Array("lost".utf8))
        fixture.commit()
        #expect(try fixture.publishes() == ["martlet/box/cache/lost=lost #1"])
    }

    @Test("a backlog of QoS 0 messages goes out as far as the connection takes it, in large writes")
    func backlogAtMostOnce() throws {
        let fixture = try BridgeFixture { configuration in
            configuration.forwards = [.init(filter: try BridgeTests.filter("raw/#"), qos: .atMostOnce)]
        }
        fixture.bridge.start()
        for _ in 0..<1_000 { fixture.publish("raw/a", String(repeating: "x", count: 800), commits: false) }
        fixture.commit()
        try fixture.start()
        let writes = try fixture.channel?.sentPackets() ?? []
        // CONNECT, the messages, and the PINGREQ whose answer says that they have arrived.
        #expect(writes.reduce(0) { $0 + $1.count } == 1_002 && writes.count < 12)
        #expect(writes.last?.last?.type == .pingreq && fixture.bridge.status.messages == 1_000)
        try fixture.upstream(PacketBytes.pingresp())
        #expect(fixture.bridge.status.messages == 0)
    }

    @Test("a QoS 0 message that no ping has confirmed is sent again on the next connection")
    func resendsAtMostOnce() throws {
        let fixture = try BridgeFixture { configuration in
            configuration.forwards = [.init(filter: try BridgeTests.filter("raw/#"), qos: .atMostOnce)]
        }
        try fixture.start()
        fixture.publish("raw/a", "1")
        try fixture.upstream(PacketBytes.pingresp())
        // The ping for these is not answered; that of the keep-alive was sent before them.
        fixture.publish("raw/a", "2")
        fixture.publish("raw/a", "3")
        _ = try fixture.sent()
        try fixture.channel?.close().wait()
        fixture.wait(.seconds(2))
        try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        #expect(try fixture.publishes() == ["raw/a=2", "raw/a=3"])
    }

    @Test("a route that refuses has its publishers refused while the cache has no room, and loses what cannot be refused")
    func refuses() throws {
        let fixture = try BridgeFixture { configuration in
            configuration.forwards = [
                .init(filter: try BridgeTests.filter("raw/#")), .init(filter: try BridgeTests.filter("alarm/#"), priority: 9),
            ]
            configuration.refusing = [9]
        }
        try fixture.start()
        let client = fixture.connect("device")
        func puback(_ topic: String) -> ReasonCode? {
            fixture.publish(topic, "x", from: client)
            while let outbound = client.popOutbound() { if case .puback(let packet) = outbound { return packet.reasonCode } }
            return nil
        }
        #expect(puback("alarm/1") == .success)
        fixture.full(["cloud/9#1"])
        #expect(puback("alarm/1") == .quotaExceeded && puback("raw/1") == .success)
        fixture.publish("alarm/1", "x")
        #expect(fixture.bridge.status.counts.refused == 1)
        let skipped = fixture.bridge.takeSkipped()
        #expect(skipped.map(\.priority) == [9] && skipped.first?.messages.spans[.noRoom]?.messages == 1)
        fixture.full([])
        #expect(puback("alarm/1") == .success)
        fixture.full(["cloud/9#1"])
        fixture.bridge.committed(0, losses: [], lanes: nil)
        #expect(fixture.bridge.isFull, "nothing was stored, so nothing is known")
        fixture.bridge.committed(0, losses: [], lanes: [])
        #expect(!fixture.bridge.isFull, "the commit forgot the last lane")
    }

    @Test("the time in a post is corrected as the store has corrected its message, and only in a post")
    func correctsTimes() {
        var correction = TimeCorrection()
        func corrected(_ topic: String, by milliseconds: Int64) -> String {
            let message = Message.create(
                topic: topic, payload: Array(#"{"params":{"measurepoints":{},"time":5000}}"#.utf8), qos: .atLeastOnce,
                publishedAt: Timestamp(milliseconds: 5_000 + milliseconds))
            let cached = CachedMessage(sequence: 1, message: message, timeCorrection: milliseconds)
            return String(decoding: correction.apply(to: cached).message.payload, as: UTF8.self)
        }
        let post = "site/7/sys/p/d/thing/measurepoint/post"
        #expect(corrected(post, by: 1_700_000_000_000).hasSuffix(#""time":1700000005000}}"#))
        #expect(corrected(post, by: 0).hasSuffix(#""time":5000}}"#))
        #expect(corrected("other", by: 1_700_000_000_000).hasSuffix(#""time":5000}}"#))
    }

    @Test("an upstream that acknowledges nothing is left and tried again")
    func stalled() throws {
        let fixture = try fixture()
        try fixture.start()
        fixture.publish("raw/a", "1")
        fixture.wait(.seconds(60))
        #expect(fixture.bridge.status.lastError == UpstreamFailure.stalled.description)
        fixture.wait(.seconds(2))
        #expect(fixture.connections == 2)
    }

    @Test("a topic deeper than the local broker takes is acknowledged and left out")
    func deepTopic() throws {
        let fixture = try fixture()
        let local = fixture.subscribe("#")
        try fixture.start()
        _ = try fixture.sent()
        let deep = "site/7/sys" + String(repeating: "/x", count: 40)
        try fixture.upstream(PacketBytes.publish(deep, "1", qos: .atMostOnce))
        try fixture.upstream(PacketBytes.publish(deep, "2", identifier: 2))
        try fixture.upstream(PacketBytes.publish("site/7/sys/a", "3", identifier: 3))
        #expect(local.received == ["/sys/a=3"])
        #expect(try fixture.sent().map(\.identifier) == [2, 3])
    }

    /// A bridge that had messages of priority 7 and 5, and whose configuration now has 5 only.
    private func withoutSeven(acknowledges: Bool) throws -> BridgeFixture {
        let fixture = try BridgeFixture { configuration in
            configuration.forwards = [
                .init(filter: try #require(TopicFilter("alarm/#")), priority: 7), .init(filter: try #require(TopicFilter("up/#"))),
            ]
        }
        try fixture.start()
        fixture.publish("alarm/a", "1")
        let identifier = try #require(try fixture.sent().last?.publishIdentifier)
        if acknowledges {
            try fixture.upstream(PacketBytes.acknowledgement(.puback, identifier))
            fixture.wait(.seconds(10))
            fixture.publish("up/a", "2")
        }
        var configuration = fixture.bridge.configuration
        configuration.forwards.removeFirst()
        fixture.bridge.reconfigure(configuration)
        return fixture
    }

    @Test("a priority that is configured no more goes when all that it held has arrived, and its counts stay")
    func dropsRoute() throws {
        let fixture = try withoutSeven(acknowledges: true)
        #expect(fixture.bridge.routes.map(\.priority) == [5] && fixture.bridge.needsBatch)
        #expect(fixture.bridge.status.lane.appended == 2)
        let batch = fixture.bridge.takeBatch(100)
        #expect(batch.removals == ["cloud/7#1"])
        fixture.bridge.commitFailed()
        #expect(fixture.bridge.takeBatch(101).removals == ["cloud/7#1"])
        fixture.bridge.committed(101, losses: [], lanes: [])
        #expect(fixture.bridge.takeBatch(102).removals == [] && fixture.bridge.status.lane.appended == 2)
    }

    @Test("a priority that is configured no more stays as long as something of it waits")
    func keepsRoute() throws {
        let fixture = try withoutSeven(acknowledges: false)
        fixture.publish("up/a", "2")
        #expect(fixture.bridge.routes.map(\.priority) == [7, 5])
        fixture.loop.run()
        try fixture.upstream(PacketBytes.connack())
        for identifier in try fixture.sent().compactMap(\.publishIdentifier) {
            try fixture.upstream(PacketBytes.acknowledgement(.puback, identifier))
        }
        fixture.wait(.seconds(10))
        fixture.publish("up/a", "3")
        #expect(fixture.bridge.routes.map(\.priority) == [5])
    }

    @Test("what was skipped is told also of a priority that is gone")
    func skippedOfGoneRoute() throws {
        let fixture = try withoutSeven(acknowledges: false)
        fixture.loop.run()
        try fixture.upstream(PacketBytes.connack())
        for identifier in try fixture.sent().compactMap(\.publishIdentifier) {
            try fixture.upstream(PacketBytes.acknowledgement(.puback, identifier, .notAuthorized))
        }
        fixture.wait(.seconds(10))
        for number in 2...3 { fixture.publish("up/a", "\(number)") }
        #expect(fixture.bridge.routes.map(\.priority) == [5] && !fixture.bridge.needsBatch)
        let skipped = fixture.bridge.takeSkipped()
        #expect(skipped.contains { $0.priority == 7 && $0.messages.spans[.refused]?.messages == 1 })
    }

    @Test("a priority that is configured again before its lane is removed goes on where it was")
    func bringsRouteBack() throws {
        let fixture = try withoutSeven(acknowledges: true)
        var configuration = fixture.bridge.configuration
        configuration.forwards.append(.init(filter: try #require(TopicFilter("alarm/#")), priority: 7))
        fixture.bridge.reconfigure(configuration)
        #expect(fixture.bridge.routes.map(\.lastSequence) == [1, 1] && fixture.bridge.status.lane.appended == 2)
        fixture.publish("alarm/a", "2")
        #expect(fixture.bridge.routes.map(\.lastSequence) == [2, 1])
        #expect(fixture.bridge.takeBatch(100).removals == [])
    }

    @Test("stopping says DISCONNECT and leaves the local broker; starting again connects again")
    func stops() throws {
        let fixture = try fixture()
        try fixture.start()
        _ = try fixture.sent()
        fixture.bridge.stop()
        #expect(try fixture.sent().map(\.type) == [.disconnect])
        fixture.publish("raw/a", "1")
        #expect(fixture.bridge.status.messages == 0 && fixture.bridge.status.state == .idle)
        try fixture.start()
        fixture.publish("raw/a", "2")
        #expect(try fixture.publishes() == ["raw/a=2 #1"])
    }
}
