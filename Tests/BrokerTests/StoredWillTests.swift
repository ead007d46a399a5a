import Broker
import Core
import MQTTCodec
import Store
import Testing

@Suite("Stored wills")
struct StoredWillTests {
    private let harness = BrokerHarness()

    /// A session that waits for what is published to `w`.
    private func watch() {
        let watcher = harness.connect("watcher", cleanStart: false, expiry: .max)
        harness.subscribe(watcher, "w")
        harness.settle()
        harness.lose(watcher)
        harness.settle()
    }

    /// What the watcher has got since it last asked.
    private func watched() -> [String] {
        let watcher = harness.connect("watcher", cleanStart: false, expiry: .max)
        harness.settle()
        let publishes = watcher.takePublishes()
        for publish in publishes { harness.puback(watcher, publish.packetIdentifier) }
        harness.lose(watcher)
        harness.settle()
        return publishes.map { String(decoding: $0.message.payload, as: UTF8.self) }
    }

    private func will(delay: UInt32 = 0) -> Will {
        Will(topic: "w", payload: Array("gone".utf8), qos: .atLeastOnce, delayInterval: delay)
    }

    private func connect(delay: UInt32 = 0, expiry: UInt32 = 3600) -> RecordingClient {
        harness.connect("a", cleanStart: false, expiry: expiry, will: will(delay: delay))
    }

    private func restart(after time: Duration = .zero) {
        harness.wall.milliseconds += time.wholeMilliseconds
        harness.restart()
        harness.advance(.seconds(1))
        harness.settle()
    }

    @Test("[MQTT-3.1.2-7] CONNACK of a persistent session with a will waits until the will is on disk")
    func connack() {
        let client = connect()
        harness.flush()
        #expect(client.take().isEmpty)
        harness.settle()
        #expect(client.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("CONNACK says that a session is present only when it is on disk")
    func sessionPresent() {
        let first = harness.connect("a", cleanStart: false, expiry: 60)
        harness.flush()
        #expect(first.take().map(\.text) == ["CONNACK 0 0"])
        let second = harness.connect("a", cleanStart: false, expiry: 60)
        harness.flush()
        #expect(second.take().isEmpty)
        harness.settle()
        #expect(second.take().map(\.text) == ["CONNACK 1 0"])
    }

    @Test("a client that was connected when the power went has lost its connection: its will goes out, once")
    func connected() {
        watch()
        _ = connect()
        harness.settle()
        restart()
        #expect(watched() == ["gone"])
        restart()
        #expect(watched() == [])
    }

    @Test("a delayed will waits for its delay from the restart on, across another restart")
    func delayBeginsAtRestart() {
        watch()
        _ = connect(delay: 30)
        harness.settle()
        restart(after: .seconds(1000))
        harness.advance(.seconds(20))
        restart()
        #expect(watched() == [])
        harness.advance(.seconds(10))
        harness.settle()
        #expect(watched() == ["gone"])
    }

    @Test("a delayed will whose time came while the box was off goes out at the restart")
    func due() {
        watch()
        harness.lose(connect(delay: 30))
        harness.settle()
        restart(after: .seconds(31))
        #expect(watched() == ["gone"])
    }

    @Test("a delayed will goes out at its time, not before, when the box was off meanwhile")
    func remaining() {
        watch()
        harness.lose(connect(delay: 30))
        harness.settle()
        restart(after: .seconds(20))
        #expect(watched() == [])
        harness.advance(.seconds(10))
        harness.settle()
        #expect(watched() == ["gone"])
    }

    @Test("a session that expired while the box was off publishes its will before it ends")
    func expired() {
        watch()
        harness.lose(connect(delay: 3000, expiry: 60))
        harness.settle()
        restart(after: .seconds(61))
        #expect(watched() == ["gone"])
        let client = connect(expiry: 60)
        harness.settle()
        #expect(client.take().first?.text == "CONNACK 0 0")
    }

    @Test("who comes back in time cancels a delayed will, and one that is due goes out all the same")
    func cancelled() {
        watch()
        harness.lose(connect(delay: 30))
        harness.settle()
        harness.restart()
        let back = connect(delay: 30)
        harness.settle()
        harness.broker.disconnect(back, packet: DisconnectPacket(), now: harness.now, wall: harness.wall)
        harness.settle()
        restart(after: .seconds(100))
        #expect(watched() == [])

        _ = connect()
        harness.settle()
        harness.restart()
        _ = connect()
        harness.settle()
        #expect(watched() == ["gone"])
    }

    @Test("[MQTT-3.14.4-3] DISCONNECT takes the will away from the disk too")
    func disconnect() {
        watch()
        let client = connect()
        harness.settle()
        harness.broker.disconnect(client, packet: DisconnectPacket(), now: harness.now, wall: harness.wall)
        harness.settle()
        restart()
        #expect(watched() == [])
    }

    @Test("a will that was published while the box ran is not published again after a restart")
    func published() {
        watch()
        harness.lose(connect(delay: 5))
        harness.settle()
        harness.advance(.seconds(6))
        harness.settle()
        #expect(watched() == ["gone"])
        restart()
        #expect(watched() == [])
    }

    @Test("a damaged sessions file that is replaced gets the wills again")
    func everything() {
        watch()
        _ = connect()
        harness.settle()
        harness.replaceDisk()
        harness.settle()
        restart()
        #expect(watched() == ["gone"])
    }

    @Test("the payload, the properties and the expiry of a will survive")
    func content() throws {
        watch()
        var will = will()
        will.forwardedProperties = [0x01, 0x01]
        will.messageExpiryInterval = 100
        will.retain = true
        _ = harness.connect("a", cleanStart: false, expiry: 3600, will: will)
        harness.settle()
        harness.wall.milliseconds += 500_000
        restart()
        let watcher = harness.connect("watcher", cleanStart: false, expiry: .max)
        harness.settle()
        let message = try #require(watcher.takePublishes().first?.message)
        #expect(message.withProperties { Array($0) } == [0x01, 0x01])
        #expect(message.retain && message.qos == .atLeastOnce)
        // The interval begins when the will is published.
        #expect(message.expiresAt > harness.now + .seconds(98))
    }
}
