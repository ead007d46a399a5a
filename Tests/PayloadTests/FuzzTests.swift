import Payload
import TestSupport
import Testing

@Suite("Payloads that are damaged")
struct FuzzTests {
    private static let command = Array(
        #"{"id":"7é","version":"1.0","method":"thing.service.measurepoint.set","params":{"a":1.5e3,"b":"x\u00e9\n","c":true,"d":-12}} "#.utf8)

    /// Reads everything that can be read from the bytes. Whatever they are, nothing may trap, and what was accepted must be
    /// readable without leaving the bytes.
    private func exercise(_ bytes: [UInt8]) {
        var scanner = JSONScanner(capacity: 16)
        // An allocation of exactly this size, so that a sanitizer sees a read beyond it.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        let text = UnsafeRawBufferPointer(copy)
        do throws(JSONError) {
            try scanner.scan(text)
            for node in 0..<scanner.nodeCount {
                _ = (scanner.number(node), scanner.string(node), scanner.member("a", of: node), scanner.element(1, of: node))
                #expect(Int(scanner[node].next) > node && Int(scanner[node].next) <= scanner.nodeCount)
                #expect(scanner[node].start < scanner[node].end && Int(scanner[node].end) <= bytes.count)
            }
            #expect(String(validating: bytes, as: UTF8.self) != nil)
        } catch {
            #expect(error.offset >= 0 && error.offset <= bytes.count, "\(bytes)")
        }
        do throws(CommandFailure) {
            let set = try MeasurepointSet.parse(text)
            #expect(!set.assignments.isEmpty)
            Issue.record("one command is read as two: \(try MeasurepointGet.parse(text))")
        } catch {
            var reply: [UInt8] = []
            Reply.write(error.identifier, code: error.code, message: error.message, to: &reply)
            #expect(scanError(reply) == nil, "\(bytes)")
        }
        _ = DeviceTopic.parse(text)
    }

    @Test("truncated at every byte")
    func truncated() {
        for count in 0..<Self.command.count - 1 {
            let part = Array(Self.command[..<count])
            exercise(part)
            #expect(scanError(part) != nil)
        }
        let topic = Array("/sys/meter/m1/thing/service/measurepoint/set_reply".utf8)
        for count in 0...topic.count { exercise(Array(topic[..<count])) }
    }

    @Test("with every bit flipped")
    func flipped() {
        for bytes in Self.command.bitFlips { exercise(bytes) }
    }

    @Test("made at random from the characters of JSON")
    func random() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SeededRandom(seed: seed)
        let pieces: [[UInt8]] = ["{", "}", "[", "]", ",", ":", "\"", "\\", "u00", "1", "-", ".", "e", "true", "null", "\"a\"", "\"a\":", " "]
            .map { Array($0.utf8) } + [[0xC3], [0xA9], [0xFF], [0]]
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...20, using: &generator) { bytes += pieces.randomElement(using: &generator) ?? [] }
            exercise(bytes)
        }
    }

    @Test("a random tree that was written is accepted and reads back the same")
    func trees() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<300 {
            var writer = JSONWriter()
            var strings: [String] = []
            write(&writer, depth: 0, &strings, &generator)
            let bytes = writer.finish()
            var scanner = JSONScanner(capacity: 16)
            let found = bytes.withUnsafeBytes { text -> [String]? in
                guard (try? scanner.scan(text)) != nil else { return nil }
                return (0..<scanner.nodeCount).compactMap { scanner.string($0) }
            }
            #expect(found == strings, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    private func write(_ writer: inout JSONWriter, depth: Int, _ strings: inout [String], _ generator: inout SeededRandom) {
        func text() -> String {
            String(String.UnicodeScalarView((0..<Int.random(in: 0...6, using: &generator)).map { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x2FF, using: &generator)) ?? "x"
            }))
        }
        switch Int.random(in: depth > 5 ? 2...5 : 0...5, using: &generator) {
        case 0:
            writer.beginObject()
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let name = text()
                strings.append(name)
                writer.name(name)
                write(&writer, depth: depth + 1, &strings, &generator)
            }
            writer.endObject()
        case 1:
            writer.beginArray()
            for _ in 0..<Int.random(in: 0...4, using: &generator) { write(&writer, depth: depth + 1, &strings, &generator) }
            writer.endArray()
        case 2:
            let value = text()
            strings.append(value)
            writer.string(value)
        case 3: writer.real(Double.random(in: -1e9...1e9, using: &generator))
        case 4: writer.bool(Bool.random(using: &generator))
        default: writer.null()
        }
    }
}
