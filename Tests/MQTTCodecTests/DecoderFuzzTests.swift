import Core
import MQTTCodec
import TestSupport
import Testing

/// Every decoder against packets of the corpus that have been damaged; see ``FuzzSeeds`` for longer runs.
@Suite("Fuzzed decoders")
struct DecoderFuzzTests {
    private let memory = GuardedBytes(capacity: 1 << 20)

    struct Target: CustomTestStringConvertible, Sendable {
        let type: PacketType
        let version: ProtocolVersion
        var testDescription: String { "\(type) of \(version)" }
    }

    static func name(_ version: ProtocolVersion) -> String {
        switch version {
        case .v31: "3.1"
        case .v311: "3.1.1"
        case .v5: "5.0"
        }
    }

    static let targets = versions.flatMap { version in
        (PacketType.connect.rawValue...(version == .v5 ? PacketType.auth : .disconnect).rawValue).compactMap { type in
            PacketType(rawValue: type).map { Target(type: $0, version: version) }
        }
    }

    /// Reasons that a decoder may give. What else there is a broker decides.
    private static let reasons: Set<ReasonCode> = [
        .malformedPacket, .protocolError, .unsupportedProtocolVersion, .clientIdentifierNotValid, .topicNameInvalid,
        .topicFilterInvalid, .topicAliasInvalid, .packetTooLarge,
    ]

    @Test("the corpus holds valid packets of every type", arguments: versions)
    func corpus(version: ProtocolVersion) throws {
        var types: Set<UInt8> = []
        for bytes in Corpus.packets(Self.name(version)) {
            let decoded = Decoded(bytes, version: version)
            #expect(decoded.packet != nil, "\(decoded): \(bytes)")
            types.insert(bytes[0] >> 4)
        }
        #expect(types == Set(Self.targets.filter { $0.version == version }.map(\.type.rawValue)))
        for bytes in Corpus.conversations(Self.name(version)).joined() {
            #expect(Decoded(bytes, version: version).packet != nil, "\(bytes)")
        }
    }

    @Test("a damaged packet is refused, or is a packet that is encoded to the same", arguments: targets)
    func damaged(_ target: Target) throws {
        let all = Corpus.packets(Self.name(target.version))
        let own = all.filter { $0[0] >> 4 == target.type.rawValue }
        var refused = 0
        var accepted = 0
        for seed in FuzzSeeds("decoder, \(target.testDescription)", count: 300) {
            var mutator = PacketMutator(seed: seed, donors: all)
            for _ in 0..<10 {
                let bytes = mutator.damaged(own[mutator.random.below(own.count)])
                switch memory.with(bytes, { Decoded($0, version: target.version) }) {
                case .needMoreBytes: break
                case .failure(let error):
                    refused += 1
                    #expect(
                        Self.reasons.contains(error.reasonCode) && 0...bytes.count ~= error.offset,
                        "MARTLET_FUZZ_SEED=\(seed): \(error) for \(bytes)")
                case .packet(let packet, let length):
                    accepted += 1
                    try checkAgain(packet, length: length, of: bytes, target.version, seed)
                }
            }
        }
        #expect(refused > 0 && (accepted > 0 || own.count == 1), "the damage is too great or too little")
    }

    private func checkAgain(
        _ packet: AnyPacket, length: Int, of bytes: [UInt8], _ version: ProtocolVersion, _ seed: UInt64
    ) throws {
        #expect(length <= bytes.count, "MARTLET_FUZZ_SEED=\(seed)")
        var packet = packet
        // The one thing that the encoder from parts does not say.
        if case .publish(var publish) = packet, publish.topicAlias != nil {
            publish.subscriptionIdentifiers = []
            packet = .publish(publish)
        }
        let again = try packet.encoded(version: version)
        #expect(
            Decoded(again, version: version) == .packet(packet, length: again.count), "MARTLET_FUZZ_SEED=\(seed): \(bytes)")
    }

    @Test("what stands at the start of some bytes does not change when more of them come", arguments: versions)
    func frames(version: ProtocolVersion) {
        let all = Corpus.packets(Self.name(version))
        for seed in FuzzSeeds("frames of \(version)", count: 500) {
            var mutator = PacketMutator(seed: seed, donors: all)
            var bytes = mutator.damaged(all[mutator.random.below(all.count)])
            if mutator.random.once(in: 3) {
                // Nothing but a header, with any length.
                let length = PacketMutator.variableByteInteger(mutator.random.below(1 << 28))
                bytes = [UInt8(mutator.random.below(256))] + length + mutator.random.bytes(mutator.random.below(8))
            }
            let maximum = mutator.random.once(in: 2) ? FrameReader.maximumPacketSize : mutator.random.below(200)
            var known: FrameResult?
            for count in 0...bytes.count {
                let result = memory.with(bytes.prefix(count)) {
                    FrameReader.read($0, maximumPacketSize: maximum, version: version)
                }
                if case .frame(let frame) = result {
                    #expect(
                        frame.totalLength <= min(maximum, count) && frame.body.lowerBound == frame.bodyOffset,
                        "MARTLET_FUZZ_SEED=\(seed): \(bytes)")
                }
                if let known {
                    #expect(result == known, "MARTLET_FUZZ_SEED=\(seed): \(count) of \(bytes)")
                } else if result != .needMoreBytes {
                    known = result
                }
            }
        }
    }

    /// Every property with a value of its type, of any packet in any packet.
    @Test("properties in any packet, any number of times, in any order, are refused or survive")
    func properties() throws {
        let all = Corpus.packets("5.0")
        // Up to where the properties begin, as packets without properties.
        let heads: [(first: UInt8, head: [UInt8], tail: [UInt8])] = [
            (0x10, bytes("0004 'MQTT' 05 02 003C"), bytes("0003 'abc'")), (0x20, bytes("00 00"), []),
            (0x32, bytes("0001 'a' 0001"), bytes("'payload'")), (0x40, bytes("0001 00"), []), (0x50, bytes("0001 00"), []),
            (0x62, bytes("0001 00"), []), (0x70, bytes("0001 00"), []), (0x82, bytes("0001"), bytes("0001 'a' 00")),
            (0x90, bytes("0001"), [0]), (0xA2, bytes("0001"), bytes("0001 'a'")), (0xB0, bytes("0001"), [0]),
            (0xE0, [0], []), (0xF0, [0x18], []),
            // CONNECT with a will: before the will's properties.
            (0x10, bytes("0004 'MQTT' 05 06 003C 00 0003 'abc'"), bytes("0001 'w' 0001 'x'")),
        ]
        for seed in FuzzSeeds("properties", count: 3_000) {
            var mutator = PacketMutator(seed: seed, donors: all)
            let (first, head, tail) = heads[mutator.random.below(heads.count)]
            var list: [UInt8] = []
            for _ in 0..<mutator.random.below(5) { list += Self.property(&mutator.random) }
            if mutator.random.once(in: 8), !list.isEmpty { list.removeLast() }
            let packet = packet(first, head + PacketMutator.variableByteInteger(list.count) + list + tail)
            switch memory.with(packet, { Decoded($0, version: .v5) }) {
            case .needMoreBytes: Issue.record("MARTLET_FUZZ_SEED=\(seed): \(packet)")
            case .failure(let error):
                #expect(Self.reasons.contains(error.reasonCode), "MARTLET_FUZZ_SEED=\(seed): \(error) for \(packet)")
            case .packet(let found, let length): try checkAgain(found, length: length, of: packet, .v5, seed)
            }
        }
    }

    private static func property(_ random: inout SeededRandom) -> [UInt8] {
        let texts = [bytes("0000"), bytes("0001 'a'"), bytes("0005 'a/b/c'"), bytes("0002 C080"), bytes("0001 00"), bytes("0001 '+'")]
        func text(_ random: inout SeededRandom) -> [UInt8] { texts[random.below(texts.count)] }
        let identifier = UInt8(random.below(0x2C))
        switch identifier {
        case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A: return [identifier, UInt8(random.below(3))]
        case 0x13, 0x21, 0x22, 0x23: return [identifier, 0, UInt8(random.below(3))]
        case 0x02, 0x11, 0x18, 0x27: return [identifier, 0, 0, 0, UInt8(random.below(2))]
        case 0x0B: return [identifier] + PacketMutator.variableByteInteger(random.below(random.once(in: 2) ? 3 : 1 << 28))
        case 0x26: return [identifier] + text(&random) + text(&random)
        default: return [identifier] + text(&random)
        }
    }
}
