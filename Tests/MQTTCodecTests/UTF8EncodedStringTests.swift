import MQTTCodec
import Testing

/// Strings are checked where they stand: as a topic name, and as a filter, which takes the other path.
@Suite("UTF-8 Encoded String")
struct UTF8EncodedStringTests {
    private let memory = GuardedBytes(capacity: 4096)

    private func acceptsAsTopic(_ text: [UInt8]) -> Bool {
        let field = [UInt8(text.count >> 8), UInt8(text.count & 0xFF)] + text
        let decoded = memory.with(packet(0x30, field)) { Decoded($0, version: .v311) }
        if let error = decoded.error { #expect(error.reasonCode == .malformedPacket) }
        return decoded.packet != nil
    }

    private func acceptsAsFilter(_ text: [UInt8]) -> Bool {
        let field = [0, 1, UInt8(text.count >> 8), UInt8(text.count & 0xFF)] + text
        let decoded = memory.with(packet(0xA2, field)) { Decoded($0, version: .v311) }
        if let error = decoded.error { #expect(error.reasonCode == .malformedPacket) }
        return decoded.packet != nil
    }

    @Test(
        "well-formed sequences at the edges of their ranges are accepted",
        arguments: [
            "01", "7F", "C2 80", "DF BF", "E0 A0 80", "E1 80 80", "EC BF BF", "ED 80 80", "ED 9F BF", "EE 80 80",
            "EF BF BF", "EF BB BF", "F0 90 80 80", "F0 AA 9B 94", "F3 BF BF BF", "F4 80 80 80", "F4 8F BF BF",
        ])
    func wellFormed(sequence: String) {
        forEachPlace(of: bytes(sequence)) { #expect(acceptsAsTopic($0) && acceptsAsFilter($0), "\($0)") }
    }

    @Test(
        "ill-formed sequences and U+0000 are malformed",
        arguments: [
            // U+0000, overlong forms of it and of `/` and others
            "00", "C0 80", "C0 AF", "C1 BF", "E0 80 80", "E0 80 AF", "E0 9F BF", "F0 80 80 80", "F0 8F BF BF",
            // surrogates [MQTT-1.5.4-1]
            "ED A0 80", "ED AF BF", "ED B0 80", "ED BF BF", "ED A0 80 ED B0 80",
            // above U+10FFFF, and bytes that never occur
            "F4 90 80 80", "F5 80 80 80", "F8 88 80 80 80", "FE", "FF",
            // cut off, and continuation without a start
            "C2", "E2 82", "F0 9F 98", "80", "BF", "C2 41", "E2 82 41", "E2 41 82", "F0 9F 41 80", "F0 9F 98 41",
        ])
    func illFormed(sequence: String) {
        forEachPlace(of: bytes(sequence)) { #expect(!acceptsAsTopic($0) && !acceptsAsFilter($0), "\($0)") }
    }

    @Test("a wildcard is refused in a topic name wherever it stands, and left to the broker in a filter")
    func wildcards() {
        for wildcard in ["+", "#"] {
            forEachPlace(of: Array(wildcard.utf8)) { #expect(!acceptsAsTopic($0) && acceptsAsFilter($0), "\($0)") }
        }
    }

    @Test("every other ASCII character is allowed in a topic name wherever it stands")
    func plain() {
        for byte in 1...0x7F as ClosedRange<UInt8> where byte != UInt8(ascii: "+") && byte != UInt8(ascii: "#") {
            forEachPlace(of: [byte]) { #expect(acceptsAsTopic($0) && acceptsAsFilter($0), "\($0)") }
        }
    }

    @Test("the check agrees with Swift's for random bytes")
    func random() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = Generator(seed: seed)
        let interesting: [UInt8] = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4]
        for _ in 0..<20_000 {
            let text = (0...generator.below(9)).map { _ in interesting.randomElement(using: &generator)! }
            let isValid = String(validating: text, as: UTF8.self) != nil
            #expect(acceptsAsTopic(text) == isValid && acceptsAsFilter(text) == isValid, "seed \(seed): \(text)")
        }
    }

    /// Strings of all lengths around the words that are looked at together, with the sequence at every place.
    private func forEachPlace(of sequence: [UInt8], _ body: ([UInt8]) -> Void) {
        for length in 0...18 {
            for place in 0...length {
                let before = [UInt8](repeating: UInt8(ascii: "a"), count: place)
                let after = [UInt8](repeating: UInt8(ascii: "z"), count: length - place)
                body(before + sequence + after)
            }
        }
    }
}
