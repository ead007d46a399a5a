import Core
import Payload
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
    @Test("objects and arrays get their commas")
    func commas() {
        let text = written { writer in
            writer.beginObject()
            writer.name("a")
            writer.beginArray()
            writer.integer(Int64(1))
            writer.null()
            writer.beginArray()
            writer.endArray()
            writer.bool(true)
            writer.endArray()
            writer.name("b")
            writer.beginObject()
            writer.endObject()
            writer.name("c" as String)
            writer.string("d")
            writer.name("e")
            writer.quoted(7)
            writer.endObject()
        }
        #expect(text == #"{"a":[1,null,[],true],"b":{},"c":"d","e":"7"}"#)
    }

    @Test("strings are escaped and stay UTF-8", arguments: [
        ("", #""""#), ("a\"b\\c", #""a\"b\\c""#), ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#), ("\u{0}\u{1F}", #""\u0000\u001f""#), ("é€😀/\u{7F}", "\"é€😀/\u{7F}\""),
    ])
    func strings(text: String, expected: String) {
        #expect(written { $0.string(text) } == expected)
    }

    @Test("bytes that are not UTF-8 become U+FFFD")
    func replaced() {
        let bytes: [UInt8] = [0x41, 0xFF, 0xC3, 0x42, 0xE2, 0x82]
        #expect(bytes.withUnsafeBytes { bytes in written { $0.string(utf8: bytes) } } == "\"A\u{FFFD}\u{FFFD}B\u{FFFD}\u{FFFD}\"")
    }

    @Test("the array that a writer takes over keeps its capacity and what it holds")
    func reuse() {
        var buffer = Array("x".utf8)
        buffer.reserveCapacity(4096)
        var writer = JSONWriter(taking: &buffer)
        writer.string("y")
        #expect(buffer.isEmpty)
        buffer = writer.finish()
        #expect(String(decoding: buffer, as: UTF8.self) == "x\"y\"")
        #expect(buffer.capacity >= 4096)
    }

    @Test("the values of measurement points", arguments: [
        (Value.bool(true), "true"), (.int(-5), "-5"), (.uint(.max), "18446744073709551615"), (.real(21.1), "21.1"), (.lreal(0.1), "0.1"),
        (.string("a\"b"), #""a\"b""#), (.real(.nan), "null"),
    ])
    func values(value: Value, expected: String) {
        #expect(written { $0.value(value) } == expected)
    }
}
