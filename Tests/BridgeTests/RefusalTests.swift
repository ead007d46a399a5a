import Core
import MQTTCodec
import NIOCore
import Testing

@testable import Bridge

/// An upstream that has no other answer to a message than the end of the connection.
@Suite("Refused messages")
struct RefusalTests {
    private func fixture(qos: QoS = .atLeastOnce) throws -> BridgeFixture {
        try BridgeFixture { configuration in
            configuration.version = .v5
            configuration.forwards = [.init(filter: try #require(TopicFilter("up/#")), qos: qos)]
        }
    }

    private func waiting(_ fixture: BridgeFixture) -> Int64 { fixture.bridge.routes.reduce(0) { $0 + $1.depth } }

    /// Plays an upstream that takes everything but what is refused; ends after so many connections, or when nothing comes.
    ///
    /// - Returns: what was taken, in the order in which it came, each once.
    private func play(_ fixture: BridgeFixture, connections: Int, refuses: (String) -> Bool) throws -> [String] {
        var taken: [String] = []
        for _ in 0..<connections {
            var isOpen = true
            while isOpen {
                let packets = try fixture.sent().filter { $0.type == .publish || $0.type == .pingreq }
                if packets.isEmpty { return taken }
                for packet in packets where isOpen {
                    if packet.type == .pingreq {
                        try fixture.upstream(PacketBytes.pingresp())
                        continue
                    }
                    let text = packet.publish?.split(separator: " ").first.map(String.init) ?? ""
                    if refuses(text) {
                        isOpen = false
                    } else {
                        if !taken.contains(text) { taken.append(text) }
                        if let identifier = packet.publishIdentifier {
                            try fixture.upstream(PacketBytes.acknowledgement(.puback, identifier))
                        }
                    }
                }
            }
            try fixture.channel?.close().wait()
            _ = try fixture.sent()
            for _ in 0..<200 {
                fixture.wait(.seconds(1))
                if case .connecting = fixture.bridge.status.state { break }
            }
            try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        }
        return taken
    }

    @Test(
        "a message over which the upstream ends each connection is skipped and counted, and all others arrive in order",
        arguments: [QoS.atMostOnce, .atLeastOnce])
    func skips(qos: QoS) throws {
        let fixture = try fixture(qos: qos)
        try fixture.start()
        _ = try fixture.sent()
        for number in 0..<200 { fixture.publish(number % 50 == 10 ? "up/a.b" : "up/a", "\(number)") }
        let taken = try play(fixture, connections: 40) { $0.hasPrefix("up/a.b") }
        #expect(taken == (0..<200).filter { $0 % 50 != 10 }.map { "up/a=\($0)" })
        #expect(fixture.bridge.statistics.refused == 4)
        let skipped = fixture.bridge.takeSkipped()
        #expect(skipped.map(\.priority) == [5] && skipped[0].messages.spans[.refused]?.messages == 4)
        #expect(fixture.bridge.takeSkipped().isEmpty, "each is told once")
        #expect(waiting(fixture) == 0)
        #expect(!fixture.bridge.refusals.isActive)
    }

    @Test("a single message is never skipped: the upstream may be at fault")
    func single() throws {
        let fixture = try fixture()
        try fixture.start()
        _ = try fixture.sent()
        fixture.publish("up/a.b", "1")
        #expect(try play(fixture, connections: 50) { _ in true } == [])
        #expect(waiting(fixture) == 1)
        #expect(fixture.bridge.statistics.refused == 0)
    }

    @Test("an upstream that ends every connection and takes nothing loses nothing")
    func deadUpstream() throws {
        let fixture = try fixture()
        try fixture.start()
        _ = try fixture.sent()
        for number in 0..<20 { fixture.publish("up/a", "\(number)") }
        _ = try play(fixture, connections: 100) { _ in true }
        #expect(waiting(fixture) == 20)
        let taken = try play(fixture, connections: 1) { _ in false }
        #expect(Set(taken) == Set((0..<20).map { "up/a=\($0)" }))
        #expect(waiting(fixture) == 0)
    }

    @Test("what a server's DISCONNECT says of the connection accuses no message", arguments: [ReasonCode.sessionTakenOver, .serverShuttingDown])
    func otherReasons(reason: ReasonCode) throws {
        let fixture = try fixture()
        try fixture.start()
        for number in 0..<5 { fixture.publish("up/a", "\(number)") }
        for _ in 0..<10 {
            try fixture.upstream(PacketBytes.disconnect(reason))
            for _ in 0..<200 {
                fixture.wait(.seconds(1))
                if case .connecting = fixture.bridge.status.state { break }
            }
            try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        }
        #expect(!fixture.bridge.refusals.isActive)
    }
}
