import Broker
import Core
import MQTTCodec
import NIOCore
import NIOEmbedded
import Store
import Testing

@testable import Bridge

/// An upstream that wants payloads joined with `+` below one topic, and answers `ask/N` by way of `local/N`.
private final class JoiningForm: UpstreamForm {
    var qos = QoS.atLeastOnce
    var holds = false
    private(set) var offered: [[FormInput]] = []

    override func prepare(_ packet: inout ConnectPacket, secret: [UInt8]?, now: Moment) throws(FormError) {
        packet.clientIdentifier = "form"
    }

    override var subscriptions: [SubscribePacket.Request] {
        [SubscribePacket.Request(filter: "ask/+", options: SubscriptionOptions(qos: .atLeastOnce))]
    }

    override func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] {
        [.publishUpstream(FormPublish(topic: "born", payload: [], qos: .atLeastOnce))]
    }

    override func farewell(now: Moment) -> [FormPublish] { [FormPublish(topic: "dead", payload: [], qos: .atMostOnce)] }

    override func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        guard !holds else { return nil }
        offered.append(messages)
        if messages[0].message.topic == "raw/none" { return FormBatch(publishes: [], count: 1) }
        let joined = messages.map { String(decoding: $0.message.payload, as: UTF8.self) }.joined(separator: "+")
        let topic = messages[0].isBackfill ? "history" : "news"
        return FormBatch(publishes: [FormPublish(topic: topic, payload: Array(joined.utf8), qos: qos)], count: messages.count)
    }

    override func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? {
        let topic = String(decoding: topic, as: UTF8.self)
        guard topic.hasPrefix("ask/") else { return nil }
        return [.publishLocal(FormPublish(topic: "local/\(topic.dropFirst(4))", payload: Array(payload)))]
    }

    override var localFilters: [TopicFilter] { [TopicFilter("reply/+")!] }

    override func local(_ message: Message, now: Moment) -> [FormEffect] {
        [.publishUpstream(FormPublish(topic: "answer", payload: message.payload, qos: .atMostOnce))]
    }
}

@Suite("A bridge with a form")
struct FormTests {
    private let form = JoiningForm()

    private func fixture(_ change: (inout BridgeConfiguration) -> Void = { _ in }) throws -> BridgeFixture {
        let form = form
        nonisolated(unsafe) let made = form
        return try BridgeFixture { configuration in
            configuration.forwards = [.init(filter: try #require(TopicFilter("raw/#")))]
            configuration.form = .init(settings: "joining") { made }
            configuration.batching.maximumCount = 3
            change(&configuration)
        }
    }

    /// Connected, with the form's subscription taken.
    private func started(_ change: (inout BridgeConfiguration) -> Void = { _ in }) throws -> BridgeFixture {
        let fixture = try fixture(change)
        try fixture.start()
        try fixture.upstream(PacketBytes.suback(65_534, [.grantedQoS1]))
        _ = try fixture.sent()
        return fixture
    }

    @Test("CONNECT, the birth and the subscription are the form's, and nothing is sent before it is taken")
    func starts() throws {
        let fixture = try fixture()
        fixture.bridge.start()
        fixture.publish("raw/a", "1")
        try fixture.start()
        let sent = try fixture.sent()
        #expect(sent.map(\.type) == [.connect, .publish, .subscribe])
        #expect(sent[0].body.suffix(4) == Array("form".utf8))
        #expect(sent.compactMap(\.publish) == ["born= #65521"])
        try fixture.upstream(PacketBytes.suback(65_534, [.grantedQoS1]))
        #expect(try fixture.publishes() == ["history=1 #1"])
    }

    @Test("several messages go out in one PUBLISH, whose PUBACK takes all of them from the cache")
    func joins() throws {
        let fixture = try started()
        for number in 1...5 { fixture.publish("raw/a", "\(number)", commits: false) }
        fixture.commit()
        #expect(try fixture.publishes() == ["news=1+2+3 #1", "news=4+5 #4"])
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 1))
        #expect(fixture.bridge.status.messages == 2)
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 4))
        #expect(fixture.bridge.status.messages == 0 && fixture.bridge.status.lane.acknowledged == 5)
    }

    @Test("a PUBACK lost with its connection has the messages made anew, as what has waited")
    func remakes() throws {
        let fixture = try started()
        for number in 1...4 { fixture.publish("raw/a", "\(number)", commits: false) }
        fixture.commit()
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 4))
        _ = try fixture.sent()
        try fixture.channel?.close().wait()
        fixture.wait(.seconds(2))
        try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        try fixture.upstream(PacketBytes.suback(65_534, [.grantedQoS1]))
        #expect(try fixture.publishes().last == "history=1+2+3 #1 dup")
        #expect(fixture.bridge.status.messages == 4, "the fourth has arrived, and leaves when those before it do")
    }

    @Test("a PUBLISH that the upstream refuses for good takes all its messages along, and they are counted")
    func refused() throws {
        let fixture = try started()
        for number in 1...3 { fixture.publish("raw/a", "\(number)", commits: false) }
        fixture.commit()
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 1, .payloadFormatInvalid))
        #expect(fixture.bridge.status.messages == 0 && fixture.bridge.status.lane.refused == 3)
        #expect(fixture.bridge.takeSkipped().map { $0.messages.spans[.refused]?.messages } == [3])
    }

    @Test("messages without a place upstream are left out and counted")
    func unmapped() throws {
        let fixture = try started()
        fixture.publish("raw/none", "1")
        #expect(fixture.bridge.status.messages == 0 && fixture.bridge.status.lane.unmapped == 1)
    }

    @Test("a form that holds back keeps everything in the cache, in its order")
    func holds() throws {
        let fixture = try started()
        form.holds = true
        fixture.publish("raw/a", "1")
        fixture.publish("raw/a", "2")
        #expect(try fixture.publishes() == [] && fixture.bridge.status.messages == 2)
        form.holds = false
        fixture.wait(.seconds(1))
        #expect(try fixture.publishes() == ["news=1+2 #1"])
    }

    @Test("a batch of QoS 0 leaves the cache when a ping behind it is answered")
    func atMostOnce() throws {
        form.qos = .atMostOnce
        let fixture = try started()
        for number in 1...2 { fixture.publish("raw/a", "\(number)", commits: false) }
        fixture.commit()
        #expect(try fixture.publishes() == ["news=1+2"] && fixture.bridge.status.messages == 2)
        try fixture.upstream(PacketBytes.pingresp())
        #expect(fixture.bridge.status.messages == 0)
    }

    @Test("the first message of a batch waits for others as long as it may")
    func lingers() throws {
        let fixture = try started { $0.batching.maximumAge = .seconds(10) }
        fixture.publish("raw/a", "1")
        fixture.publish("raw/a", "2")
        #expect(try fixture.publishes() == [])
        fixture.wait(.seconds(10))
        #expect(try fixture.publishes() == ["news=1+2 #1"])
        for number in 3...5 { fixture.publish("raw/a", "\(number)") }
        #expect(try fixture.publishes() == ["news=3+4+5 #3"])
    }

    @Test("a command from upstream is published here, and the device's answer goes up")
    func commands() throws {
        let fixture = try started()
        let device = fixture.subscribe("local/#")
        try fixture.upstream(PacketBytes.publish("ask/7", "open", identifier: 3))
        #expect(device.received == ["local/7=open"])
        #expect(try fixture.sent().contains { $0.type == .puback })
        fixture.publish("reply/7", "done")
        fixture.loop.run()
        #expect(try fixture.publishes() == ["answer=done"])
    }

    @Test("each later SUBSCRIBE has a packet identifier of its own until its SUBACK, and waits when none is free")
    func laterSubscriptions() throws {
        let fixture = try started()
        func request(_ number: Int) -> FormEffect {
            .subscribe([.init(filter: "later/\(number)", options: SubscriptionOptions(qos: .atLeastOnce))])
        }
        fixture.bridge.carryOut((1...22).map(request))
        let sent = try fixture.sent()
        #expect(sent.map(\.type) == Array(repeating: .subscribe, count: 20))
        #expect(sent.map(\.identifier) == Array(65_501...65_520))
        try fixture.upstream(PacketBytes.suback(65_510, [.grantedQoS1]))
        let next = try fixture.sent()
        #expect(next.map(\.identifier) == [65_510] && next.allSatisfy { $0.body.dropLast().suffix(8) == Array("later/21".utf8) })
        try fixture.upstream(PacketBytes.suback(65_501, [.notAuthorized]))
        #expect(try fixture.sent().map(\.identifier) == [65_501])
        try fixture.upstream(PacketBytes.suback(65_501, [.grantedQoS1]))
        try fixture.upstream(PacketBytes.suback(65_501, [.grantedQoS1]))
        #expect(fixture.bridge.status.counts.unexpectedAcknowledgements == 1, "the second answers nothing")
    }

    @Test("the SUBACK of a later SUBSCRIBE does not stand for that of the form's first")
    func firstSubscription() throws {
        let fixture = try fixture()
        try fixture.start()
        fixture.bridge.carryOut([.subscribe([.init(filter: "later", options: SubscriptionOptions(qos: .atLeastOnce))])])
        fixture.publish("raw/a", "1")
        _ = try fixture.sent()
        try fixture.upstream(PacketBytes.suback(65_501, [.grantedQoS1]))
        #expect(try fixture.publishes() == [])
        try fixture.upstream(PacketBytes.suback(65_534, [.grantedQoS1]))
        #expect(try fixture.publishes() == ["news=1 #1"])
    }

    @Test("at the end the form says farewell before DISCONNECT")
    func farewell() throws {
        let fixture = try started()
        fixture.bridge.stop()
        let sent = try fixture.sent()
        #expect(sent.compactMap(\.publish) == ["dead="] && sent.last?.type == .disconnect)
    }
}
