import Core
import MQTTCodec
import Testing

@Suite("Round trip")
struct RoundTripTests {
    @Test("every packet that is encoded decodes to itself", arguments: versions)
    func everyPacket(version: ProtocolVersion) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = Generator(seed: seed)
        for _ in 0..<200 {
            for packet in generator.packets(version) {
                let bytes = try packet.encoded(version: version)
                #expect(
                    Decoded(bytes, version: version) == .packet(packet, length: bytes.count), "seed \(seed): \(bytes)")
            }
        }
    }

    @Test("the size of a PUBLISH is known before it is written", arguments: versions)
    func size(version: ProtocolVersion) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = Generator(seed: seed)
        for _ in 0..<200 {
            var packet = generator.publish(version)
            packet.topicAlias = nil
            if packet.topic.isEmpty { packet.topic = [0x61] }
            let size = PublishEncoder.size(
                packet.message, qos: packet.qos, version: version, messageExpiryInterval: packet.messageExpiryInterval,
                subscriptionIdentifiers: packet.subscriptionIdentifiers)
            #expect(try AnyPacket.publish(packet).encoded(version: version).count == size, "seed \(seed)")
        }
    }
}
