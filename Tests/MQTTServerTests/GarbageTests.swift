import Broker
import Core
import MQTTCodec
import TestSupport
import Testing

@testable import MQTTServer

/// What comes from the network is anything.
@Suite("Damaged sessions")
struct GarbageTests {
    @Test("a session with flipped, lost and added bytes does not trap, and other clients do not notice", arguments: [
        ProtocolVersion.v31, .v311, .v5,
    ])
    func damaged(version: ProtocolVersion) throws {
        let base = UInt64.random(in: 0...UInt64.max)
        print("damaged sessions of \(version): seeds from \(base)")
        let server = ServerHarness()
        let witness = try server.open().connect("witness")
        try witness.subscribe("witness/echo", qos: .atLeastOnce)
        let recorded = Array(try FramingTests.conversation(version: version).joined()) + Packets.disconnect
        for seed in (0..<400).map({ base &+ $0 }) {
            var random = SeededRandom(seed: seed)
            let peer = try server.open()
            var rest = Self.damage(recorded, &random)[...]
            while let piece = rest.prefix(Int.random(in: 1...200, using: &random)) as ArraySlice<UInt8>?, !piece.isEmpty {
                try peer.send(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            try witness.publish("witness/echo", "\(seed)")
            #expect(try witness.take() == ["PUBLISH witness/echo \(seed)"], "seed \(seed)")
            peer.lose()
        }
        #expect(server.broker.clientCount == 1)
    }

    @Test("bytes without any meaning do not trap, and leave no client behind")
    func noise() throws {
        let base = UInt64.random(in: 0...UInt64.max)
        print("noise: seeds from \(base)")
        let server = ServerHarness()
        for seed in (0..<300).map({ base &+ $0 }) {
            var random = SeededRandom(seed: seed)
            let peer = try server.open()
            // Some connect in good order first.
            if Bool.random(using: &random) { try peer.connect("c", version: Bool.random(using: &random) ? .v5 : .v311) }
            for _ in 0..<20 where peer.isOpen {
                try peer.send(random.bytes(1 + random.below(64)))
            }
            peer.lose()
            #expect(server.broker.clientCount == 0, "seed \(seed)")
        }
    }

    private static func damage(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...9, using: &random)))
            case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
            case 2: bytes[at] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
            default: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            if bytes.isEmpty { return [0] }
        }
        return bytes
    }
}
