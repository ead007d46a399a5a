import Core
import Testing

@testable import FieldBus

@Suite("The lines of an external driver")
struct ExternalMessageTests {
    private let wall = Timestamp(milliseconds: 1000)
    private let device = DeviceIdentifier(productKey: "p", deviceKey: "d")

    private var decoder: ExternalDecoder {
        func point(_ identifier: String, _ type: PointType) -> ExternalPoint {
            ExternalPoint(
                identifier: identifier, type: type, address: "", conversion: PointConversion(), writable: true, interval: .seconds(1))
        }
        return ExternalDecoder([
            ExternalDevice(
                identifier: device, address: nil,
                points: [point("i", .int), point("u", .udint), point("r", .real), point("b", .bool), point("s", .string)])
        ])
    }

    private func decode(_ text: String) -> Result<ExternalMessage, ExternalMistake> {
        var text = text
        return text.withUTF8 { decoder.result(of: UnsafeRawBufferPointer($0), wall: wall) }
    }

    private func samples(_ text: String) throws -> [Sample] {
        guard case .samples(let reading) = try decode(#"{"op":"samples","device":"p/d","samples":[\#(text)]}"#).get() else { return [] }
        return reading.samples
    }

    @Test("a value is one of the point's type, or out of range", arguments: [
        (#""i","value":-5"#, Value.int(-5)), (#""i","value":40000"#, nil), (#""u","value":4294967295"#, .uint(4_294_967_295)),
        (#""u","value":-1"#, nil), (#""r","value":1.5"#, .real(1.5)), (#""b","value":true"#, .bool(true)), (#""b","value":1"#, .bool(true)),
        (#""s","value":"x""#, .string("x")), (#""s","value":3"#, nil), (#""i","value":null"#, nil), (#""i""#, nil),
        (#""i","value":[1]"#, nil), (#""i","value":2.4"#, .int(2)),
    ])
    func values(text: String, expected: Value?) throws {
        let sample = try #require(try samples(#"{"point":\#(text)}"#).first)
        #expect(sample.value == expected)
        #expect(sample.quality == (expected == nil ? .bad(.outOfRange) : .good))
    }

    @Test("time, quality and reason are the program's")
    func quality() throws {
        let samples = try samples(
            #"{"point":"i","value":1,"time":77},{"point":"i","value":2,"quality":"uncertain","reason":"stale"},"#
                + #"{"point":"i","value":3,"quality":"bad","reason":"timeout"},{"point":"i","quality":"bad","reason":"moon phase"},{"point":"zz","value":1}"#)
        #expect(samples.map(\.time.milliseconds) == [77, 1000, 1000, 1000])
        #expect(samples.map(\.quality) == [.good, .uncertain(.stale), .bad(.timeout), .bad(.deviceFailure)])
        #expect(samples.map(\.value) == [.int(1), .int(2), nil, nil])
    }

    @Test("what is no such line is told", arguments: [
        "", "x", "[]", "{}", #"{"op":7}"#, #"{"op":"dance"}"#, #"{"op":"values","device":"p/d","samples":[]}"#,
        #"{"op":"samples","device":"p/x","samples":[]}"#, #"{"op":"samples","device":"p/d","samples":3}"#,
        #"{"op":"describe","protocol":2}"#, #"{"op":"written"}"#, #"{"op":"failed"}"#,
    ])
    func mistakes(line: String) {
        #expect(throws: ExternalMistake.self) { try decode(line).get() }
    }

    @Test("no bytes trap: whole lines with bytes changed, cut and repeated")
    func fuzz() {
        let lines = [
            #"{"op":"describe","name":"n","version":"1","protocol":1,"polled":false}"#,
            #"{"op":"samples","device":"p/d","samples":[{"point":"i","value":-5,"time":12,"quality":"uncertain","reason":"stale"}]}"#,
            #"{"op":"values","id":3,"device":"p/d","samples":[{"point":"s","value":"äöü"}]}"#,
            #"{"op":"written","id":4,"results":[{"point":"i","ok":false,"reason":"timeout"},7,null]}"#,
        ]
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        for round in 0..<20_000 {
            var bytes = Array(lines[round % lines.count].utf8)
            for _ in 0...(random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                case 2: bytes.removeSubrange(place...)
                default: bytes.append(contentsOf: bytes[place...])
                }
                if bytes.isEmpty { bytes = [0] }
            }
            _ = bytes.withUnsafeBytes { decoder.result(of: $0, wall: wall) }
        }
    }

    @Test("lines come in whatever pieces, empty ones are left out, and one that is too long is told")
    func pieces() {
        let text = Array("a\r\n\nbc\nd".utf8)
        for cut in 0...text.count {
            var buffer = LineBuffer()
            var lines: [String] = []
            for piece in [text[..<cut], text[cut...]] {
                let isAccepted = buffer.append(piece)
                #expect(isAccepted)
                while let line = buffer.next() { lines.append(String(decoding: line, as: UTF8.self)) }
            }
            #expect(lines == ["a", "bc"])
        }
        var buffer = LineBuffer()
        let piece = [UInt8](repeating: 120, count: 65_536)
        var isAccepted = true
        for _ in 0..<20 where isAccepted {
            isAccepted = buffer.append(piece[...])
            let line = buffer.next()
            #expect(line == nil)
        }
        #expect(!isAccepted)
    }
}
