import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

@Suite("Frames of WebSocket")
struct WebSocketFrameTests {
    /// A frame as a client sends it.
    static func frame(
        _ opcode: UInt8, _ payload: [UInt8], final: Bool = true, mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    ) -> [UInt8] {
        var frame: [UInt8] = [(final ? 0x80 : 0) | opcode]
        switch payload.count {
        case ..<126: frame.append(0x80 | UInt8(payload.count))
        case ..<65_536: frame += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: frame += [0xFF] + [56, 48, 40, 32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) }
        }
        return frame + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    /// What comes of bytes that arrive in these pieces.
    private func read(_ pieces: [[UInt8]]) -> (data: [UInt8], pings: [[UInt8]], end: WebSocketFrameReader.End?) {
        var reader = WebSocketFrameReader()
        var output = ByteBuffer()
        var pings: [[UInt8]] = []
        for piece in pieces {
            let outcome = piece.withUnsafeBytes { reader.read($0, into: &output) }
            if let ping = outcome.ping { pings.append(ping) }
            if let end = outcome.end { return (Array(output.readableBytesView), pings, end) }
        }
        return (Array(output.readableBytesView), pings, nil)
    }

    @Test("data of every length arrives unmasked, in every kind of piece", arguments: [0, 1, 7, 8, 9, 125, 126, 127, 1000, 65_535, 65_536])
    func lengths(count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let frames = Self.frame(2, payload) + Self.frame(2, [1, 2, 3], mask: [0, 0xFF, 0x80, 1])
        #expect(read([frames]).data == payload + [1, 2, 3])
        for size in [1, 2, 3, 5, 13, 4096] where count < 5000 || size > 4 {
            let pieces = stride(from: 0, to: frames.count, by: size).map { Array(frames[$0..<min($0 + size, frames.count)]) }
            #expect(read(pieces).data == payload + [1, 2, 3], "pieces of \(size)")
        }
    }

    @Test("a message may be fragmented, with control frames between")
    func fragments() {
        let bytes = Self.frame(2, [1], final: false) + Self.frame(9, [7, 8]) + Self.frame(0, [2], final: false)
            + Self.frame(10, []) + Self.frame(0, [3]) + Self.frame(2, [4])
        for split in 0...bytes.count {
            let result = read([Array(bytes[..<split]), Array(bytes[split...])])
            #expect(result.data == [1, 2, 3, 4] && result.end == nil)
            #expect(result.pings == [[7, 8]])
        }
    }

    @Test("CLOSE ends it with its code, and what came before still counts", arguments: [
        ([], 1000), ([0x03, 0xE8], 1000), ([0x0F, 0xA0, 0x62], 4000), ([3], 1002), ([0x03, 0xEC], 1002), ([0, 0], 1002),
    ] as [([UInt8], UInt16)])
    func close(payload: [UInt8], code: UInt16) {
        let result = read([Self.frame(2, [1]) + Self.frame(8, payload) + Self.frame(2, [2])])
        #expect(result.data == [1])
        switch result.end {
        case .closed(let closed): #expect(closed.rawValue == code)
        case .failed(let failed, _): #expect(failed.rawValue == code)
        case nil: Issue.record("it goes on")
        }
    }

    @Test("what breaks RFC 6455 or MQTT's rules ends it", arguments: [
        // [MQTT-6.0.0-1] text
        (frame(1, [1]), 1003),
        ([0x82, 0x01, 0x00], 1002),
        ([0xC2, 0x80], 1002),
        (frame(3, []), 1002),
        (frame(11, []), 1002),
        (frame(0, [1]), 1002),
        (frame(2, [1], final: false) + frame(2, [2]), 1002),
        (frame(9, [], final: false), 1002),
        (frame(9, [UInt8](repeating: 0, count: 126)), 1002),
        ([0x82, 0xFE, 0, 125, 0, 0, 0, 0], 1002),
        ([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0], 1002),
        ([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
    ] as [([UInt8], UInt16)])
    func mistakes(bytes: [UInt8], code: UInt16) {
        guard case .failed(let failed, _) = read([bytes]).end else {
            Issue.record("it goes on")
            return
        }
        #expect(failed.rawValue == code)
        #expect(read(bytes.map { [$0] }).end == read([bytes]).end)
    }

    @Test("a frame that claims 2^63 - 1 bytes takes no memory for them")
    func huge() {
        let result = read([[0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 1, 2]])
        #expect(result.data == [1, 2] && result.end == nil)
    }

    @Test("any bytes are read or refused, and never trap")
    func noise() {
        let base = UInt64.random(in: 0...UInt64.max)
        print("WebSocket frames: seeds from \(base)")
        for seed in (0..<2000).map({ base &+ $0 }) {
            var random = SeededRandom(seed: seed)
            var bytes = Self.frame(2, random.bytes(random.below(300)), final: Bool.random(using: &random))
                + Self.frame(random.bytes(1)[0] & 0x0F, random.bytes(random.below(130)))
            for _ in 0..<random.below(4) { bytes[random.below(bytes.count)] = random.bytes(1)[0] }
            let split = random.below(bytes.count)
            let whole = read([bytes])
            let halves = read([Array(bytes[..<split]), Array(bytes[split...])])
            #expect(whole.data == halves.data && whole.end == halves.end, "seed \(seed)")
        }
    }
}
