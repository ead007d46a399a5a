import Core
import FieldBus
import TestSupport
import Testing

private func time(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

@Suite("Framer")
struct FramerTests {
    /// A framing, a stream, and what it falls apart into.
    static let streams: [(Framing, start: String, stream: String, frames: [String])] = [
        (.delimiter([13, 10]), "", "one\r\n\r\ntwo\rx\r\nthr", ["one", "", "two\rx"]),
        (.delimiter([13]), "\u{2}", "noise\u{2}one\rmore\u{2}two\r", ["\u{2}one", "\u{2}two"]),
        (.fixedLength(3), "", "abcdefg", ["abc", "def"]),
        (.fixedLength(4), "#", "x#abc#de#fgh", ["#abc", "#de#"]),
        (.lengthField(.init(offset: 0, width: 1)), "", "\u{3}ab\u{1}\u{4}abc", ["\u{3}ab", "\u{1}", "\u{4}abc"]),
    ]

    @Test("a stream falls apart into frames, however it comes in pieces", arguments: streams.indices)
    func frames(index: Int) throws {
        let (framing, start, stream, expected) = Self.streams[index]
        let bytes = Array(stream.utf8)
        for cut in 0...bytes.count {
            var framer = try Framer(framing, start: Array(start.utf8), maxLength: 64)
            let frames = framer.take(Array(bytes[..<cut]), at: time(0)) + framer.take(Array(bytes[cut...]), at: time(1))
            #expect(frames.map { String(decoding: $0, as: UTF8.self) } == expected, "cut at \(cut)")
        }
    }

    @Test("a length field of two bytes in either order, with what it does not count")
    func lengthField() throws {
        for isLittleEndian in [false, true] {
            var field = Framing.LengthField(offset: 1, width: 2)
            field.isLittleEndian = isLittleEndian
            field.adjustment = 4
            var framer = try Framer(.lengthField(field), start: [0xAA])
            let length: [UInt8] = isLittleEndian ? [2, 0] : [0, 2]
            let frame = [0xAA] + length + [1, 2, 99]
            #expect(framer.take([7] + frame + frame, at: time(0)) == [frame, frame])
            #expect(framer.discarded == 1)
        }
    }

    @Test("a length that cannot be is not believed")
    func wrongLength() throws {
        var framer = try Framer(.lengthField(.init(offset: 1, width: 2)), start: [0xAA], maxLength: 16)
        let frame: [UInt8] = [0xAA, 0, 4, 1]
        #expect(framer.take([0xAA, 0xFF, 0xFF] + frame, at: time(0)) == [frame])
    }

    @Test("silence ends a frame")
    func silence() throws {
        var framer = try Framer(.silence(.milliseconds(10)))
        #expect(framer.take([1, 2], at: time(0)).isEmpty)
        #expect(framer.take([3], at: time(5)).isEmpty)
        #expect(framer.deadline == time(15))
        #expect(framer.settle(now: time(14)) == nil)
        #expect(framer.settle(now: time(15)) == [1, 2, 3])
        #expect(framer.deadline == nil)
        #expect(framer.take([4], at: time(20)).isEmpty)
        #expect(framer.take([5], at: time(40)) == [[4]])
    }

    @Test("a frame that is too long is thrown away, and the next one is not")
    func tooLong() throws {
        var framer = try Framer(.delimiter([13, 10]), maxLength: 4)
        let bytes = Array("abcd\r\nabcde\r\nabcdefghijklmnop\r\nxy\r\n".utf8)
        #expect(framer.take(bytes, at: time(0)).map { String(decoding: $0, as: UTF8.self) } == ["abcd", "xy"])
        #expect(framer.discarded > 0)
    }

    @Test("an endless frame without a pause ends with the pause after it")
    func endlessSilence() throws {
        var framer = try Framer(.silence(.milliseconds(10)), maxLength: 4)
        #expect(framer.take([UInt8](repeating: 1, count: 1000), at: time(0)).isEmpty)
        #expect(framer.settle(now: time(10)) == nil)
        #expect(framer.take([2], at: time(20)).isEmpty)
        #expect(framer.settle(now: time(30)) == [2])
    }

    @Test("after a reset nothing of the unfinished frame is left")
    func reset() throws {
        var framer = try Framer(.delimiter([10]))
        _ = framer.take(Array("half".utf8), at: time(0))
        framer.reset()
        #expect(framer.take(Array("one\n".utf8), at: time(1)) == [Array("one".utf8)])
    }

    @Test("what cannot frame is refused", arguments: [
        Framing.delimiter([]), .fixedLength(0), .fixedLength(5000), .silence(.zero), .lengthField(.init(offset: -1, width: 2)),
        .lengthField(.init(offset: 0, width: 3)), .lengthField(.init(offset: 4095, width: 2)),
    ])
    func refused(framing: Framing) {
        #expect(throws: FieldBusError.self) { _ = try Framer(framing) }
    }

    @Test("no stream makes a frame longer than allowed, and what is cut in pieces differently gives the same frames")
    func fuzz() throws {
        let framings: [Framing] = [
            .delimiter([0]), .delimiter([1, 2]), .fixedLength(5), .lengthField(.init(offset: 1, width: 1)),
            .lengthField(.init(offset: 0, width: 4)), .silence(.milliseconds(1)),
        ]
        for seed in UInt64(0)..<300 {
            var random = SeededRandom(seed: seed)
            // Few values, so that starts, delimiters and lengths do occur.
            let stream = (0..<200).map { _ in UInt8(random.below(seed % 2 == 0 ? 4 : 256)) }
            for framing in framings {
                let start: [UInt8] = random.once(in: 2) ? [] : [UInt8(random.below(3))]
                var whole = try Framer(framing, start: start, maxLength: 16)
                var dripped = whole
                let frames = whole.take(stream, at: time(0))
                var drops: [[UInt8]] = []
                for byte in stream { drops += dripped.take([byte], at: time(0)) }
                #expect(frames == drops, "seed \(seed), \(framing)")
                #expect(frames.allSatisfy { $0.count <= 16 && $0.starts(with: start) }, "seed \(seed), \(framing)")
            }
        }
    }
}
