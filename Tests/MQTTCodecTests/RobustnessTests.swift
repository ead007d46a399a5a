import Core
import MQTTCodec
import TestSupport
import Testing

/// Decoders against bytes that are late, missing or wrong. All bytes lie before a guard page.
@Suite("Robustness")
struct RobustnessTests {
    private let memory = GuardedBytes(capacity: 65_536)

    private func generated(_ version: ProtocolVersion, rounds: Int) throws -> (seed: UInt64, packets: [AnyPacket]) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = Generator(seed: seed)
        return (seed, (0..<rounds).flatMap { _ in generator.packets(version) })
    }

    @Test("a packet that arrives byte by byte is there at its last byte and not before", arguments: versions)
    func dripFed(version: ProtocolVersion) throws {
        let (seed, packets) = try generated(version, rounds: 4)
        for packet in packets {
            let bytes = try packet.encoded(version: version)
            for count in 0..<bytes.count {
                let early = memory.with(bytes.prefix(count)) { Decoded($0, version: version) }
                #expect(early == .needMoreBytes, "seed \(seed): \(count) of \(bytes)")
            }
            let whole = memory.with(bytes) { Decoded($0, version: version) }
            #expect(whole == .packet(packet, length: bytes.count), "seed \(seed): \(bytes)")
        }
    }

    @Test("bytes behind a packet belong to the next one", arguments: versions)
    func followed(version: ProtocolVersion) throws {
        let (seed, packets) = try generated(version, rounds: 4)
        for packet in packets {
            let bytes = try packet.encoded(version: version)
            #expect(
                Decoded(bytes + [0xFF, 0xFF], version: version) == .packet(packet, length: bytes.count),
                "seed \(seed): \(bytes)")
        }
    }

    @Test("a body that is cut off at any byte is refused or is a packet of its own", arguments: versions)
    func truncated(version: ProtocolVersion) throws {
        let (seed, packets) = try generated(version, rounds: 6)
        for packet in packets {
            let bytes = try packet.encoded(version: version)
            let result = bytes.withUnsafeBytes {
                FrameReader.read($0, maximumPacketSize: bytes.count, version: version)
            }
            let frame = try #require(result.frame)
            for length in 0..<frame.bodyLength {
                let body = bytes[frame.bodyOffset..<(frame.bodyOffset + length)]
                try check(MQTTCodecTests.packet(bytes[0], Array(body)), version: version, seed: seed)
            }
        }
    }

    @Test("a packet with any bit flipped is refused or is a packet of its own", arguments: versions)
    func bitFlipped(version: ProtocolVersion) throws {
        let (seed, packets) = try generated(version, rounds: 2)
        for packet in packets {
            let bytes = try packet.encoded(version: version)
            for flipped in bytes.bitFlips { try check(flipped, version: version, seed: seed) }
        }
    }

    @Test("random bytes are refused or are a packet of their own", arguments: versions)
    func random(version: ProtocolVersion) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = Generator(seed: seed)
        for _ in 0..<20_000 {
            let body = (0..<generator.below(24)).map { _ in UInt8(generator.below(generator.bool() ? 256 : 8)) }
            try check(packet(UInt8(generator.below(256)), body), version: version, seed: seed)
        }
    }

    /// What decodes must encode to bytes that decode to the same; what fails must say where, within the bytes.
    private func check(_ bytes: [UInt8], version: ProtocolVersion, seed: UInt64) throws {
        switch memory.with(bytes, { Decoded($0, version: version) }) {
        case .needMoreBytes:
            break
        case .failure(let error):
            #expect(error.reasonCode.isError && 0...bytes.count ~= error.offset, "seed \(seed): \(bytes)")
        case .packet(var packet, let length):
            #expect(length <= bytes.count)
            // The one thing that the encoder from parts does not say.
            if case .publish(var publish) = packet, publish.topicAlias != nil {
                publish.subscriptionIdentifiers = []
                packet = .publish(publish)
            }
            let again = try packet.encoded(version: version)
            #expect(
                Decoded(again, version: version) == .packet(packet, length: again.count), "seed \(seed): \(bytes)")
        }
    }
}
