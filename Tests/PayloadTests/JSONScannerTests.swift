import Payload
import Testing

/// Scans a text and gives the error, if there is one.
func scanError(_ text: [UInt8]) -> JSONError? {
    var scanner = JSONScanner()
    return text.withUnsafeBytes { bytes in
        do throws(JSONError) {
            try scanner.scan(bytes)
            return nil
        } catch {
            return error
        }
    }
}

func scanError(_ text: String) -> JSONError? { scanError(Array(text.utf8)) }

/// Scans a text and reads from it.
func scan<R>(_ text: String, _ body: (borrowing JSONScanner) -> R) throws -> R {
    var scanner = JSONScanner(capacity: 16)
    return try Array(text.utf8).withUnsafeBytes { bytes in
        try scanner.scan(bytes)
        return body(scanner)
    }
}

@Suite("JSON scanner")
struct JSONScannerTests {
    @Test("JSON is accepted", arguments: [
        "0", "-0", "1.5", "-1.5e+10", "1E-2", "true", "false", "null", "\"\"", "[]", "{}", " [ ] ", "\t\r\n{ }\n", "[1,2]", "[[],{}]",
        #"{"a":1,"b":[true,null,{"c":"d"}]}"#, #""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, "\"é€😀\u{7F}\"", #""\ud800""#,
        #"{ "a" : [ 1 , 2 ] , "b" : { } }"#,
    ])
    func accepts(text: String) {
        #expect(scanError(text) == nil)
    }

    @Test("what is not JSON is refused with the offset of the fault", arguments: [
        ("", JSONError.Reason.empty, 0), ("  ", .empty, 2), ("x", .unexpectedCharacter, 0), ("tru", .unexpectedEnd, 3),
        ("trux", .unexpectedCharacter, 3), ("nul1", .unexpectedCharacter, 3), ("truee", .trailingCharacters, 4), ("1 2", .trailingCharacters, 2),
        ("01", .trailingCharacters, 1), ("-", .unexpectedEnd, 1), ("-a", .unexpectedCharacter, 1), ("1.", .unexpectedEnd, 2),
        ("1.e", .unexpectedCharacter, 2), ("1e", .unexpectedEnd, 2), ("1e+", .unexpectedEnd, 3), (".5", .unexpectedCharacter, 0),
        ("+1", .unexpectedCharacter, 0), ("NaN", .unexpectedCharacter, 0), ("\"", .unexpectedEnd, 1), ("\"a", .unexpectedEnd, 2),
        ("\"\\", .unexpectedEnd, 2), ("\"\\x\"", .invalidEscape, 2), ("\"\\u12g4\"", .invalidEscape, 5), ("\"\\u12", .unexpectedEnd, 5),
        ("\"a\nb\"", .controlCharacter, 2), ("[", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3),
        ("[1,]", .unexpectedCharacter, 3), ("[,1]", .unexpectedCharacter, 1), ("[1 2]", .unexpectedCharacter, 3), ("[1}", .unexpectedCharacter, 2),
        ("{", .unexpectedEnd, 1), ("{\"a\"", .unexpectedEnd, 4), ("{\"a\":", .unexpectedEnd, 5), ("{\"a\":1", .unexpectedEnd, 6),
        ("{\"a\":1,", .unexpectedEnd, 7), ("{\"a\":1,}", .unexpectedCharacter, 7), ("{a:1}", .unexpectedCharacter, 1), ("{1:1}", .unexpectedCharacter, 1),
        ("{\"a\" 1}", .unexpectedCharacter, 5), ("{\"a\":1]", .unexpectedCharacter, 6), ("]", .unexpectedCharacter, 0), ("{}}", .trailingCharacters, 2),
        ("'a'", .unexpectedCharacter, 0), ("[1]/**/", .trailingCharacters, 3),
    ])
    func refuses(text: String, reason: JSONError.Reason, offset: Int) {
        #expect(scanError(text) == JSONError(reason, at: offset))
    }

    @Test("bytes that are not UTF-8 are refused", arguments: [
        [0xFF], [0xC3], [0xC0, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE0, 0x80, 0x80], [0x80], [0xF0, 0x9F, 0x98],
    ] as [[UInt8]])
    func utf8(bytes: [UInt8]) {
        #expect(scanError([0x22] + bytes + [0x22]) == JSONError(.invalidUTF8, at: 1))
    }

    @Test("depth and number of values are limited")
    func limits() {
        func nested(_ count: Int) -> String { String(repeating: "[", count: count) + String(repeating: "]", count: count) }
        #expect(scanError(nested(64)) == nil)
        #expect(scanError(nested(65)) == JSONError(.tooDeep, at: 64))
        #expect(scanError(String(repeating: "{\"a\":", count: 65)) == JSONError(.tooDeep, at: 64 * 5))
        let many = "[" + String(repeating: "0,", count: JSONScanner.maxNodes - 2) + "0"
        #expect(scanError(many + "]") == nil)
        #expect(scanError(many + ",0]")?.reason == .tooLarge)
    }

    @Test("members and elements are found by name and number")
    func finds() throws {
        try scan(#"{"a":[1,[2,3],{"x":4}],"b":{"a":"inner","":5},"c\"d":6,"a":7}"#) { scanner in
            let root = JSONScanner.root
            let array = scanner.member("a", of: root) ?? -1
            #expect(scanner[array].kind == .array)
            #expect(scanner.element(2, of: array).flatMap { scanner.member("x", of: $0) }.flatMap { scanner.number($0) } == .int(4))
            #expect(scanner.element(3, of: array) == nil)
            #expect(scanner.element(-1, of: array) == nil)
            #expect(scanner.member("a", of: array) == nil)
            #expect(scanner.element(0, of: root) == nil)
            let inner = scanner.member("b", of: root) ?? -1
            #expect(scanner.member("a", of: inner).flatMap { scanner.string($0) } == "inner")
            #expect(scanner.member("", of: inner).flatMap { scanner.number($0) } == .int(5))
            #expect(scanner.member("c\"d", of: root).flatMap { scanner.number($0) } == .int(6))
            #expect(scanner.member("zz", of: root) == nil)
            #expect(scanner.member("a", of: 999) == nil)
            #expect(scanner.member("a", of: -5) == nil)
            #expect(String(decoding: scanner.raw(array), as: UTF8.self) == #"[1,[2,3],{"x":4}]"#)
        }
    }

    @Test("walking an object visits its names in the order of the text")
    func walks() throws {
        let names = try scan(#"{"a":[1,2],"b":{"x":1},"c":3}"#) { scanner in
            var names: [String?] = []
            var name = scanner.first(in: JSONScanner.root)
            while let node = name {
                names.append(scanner.string(node))
                name = scanner.next(after: node + 1, in: JSONScanner.root)
            }
            return names
        }
        #expect(names == ["a", "b", "c"])
        #expect(try scan("{}") { $0.first(in: 0) } == nil)
        #expect(try scan("1") { $0.first(in: 0) } == nil)
    }

    @Test("escapes are read", arguments: [
        (#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{C}\n\r\tz"), (#""\u00e9\u20AC""#, "é€"), (#""\ud83d\ude00""#, "😀"),
        (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"), (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud83dx""#, "\u{FFFD}x"),
        (#""plain é""#, "plain é"), (#""\u0000""#, "\0"),
    ])
    func escapes(text: String, expected: String) throws {
        #expect(try scan(text) { $0.string(0) } == expected)
        let unescaped = try scan(text) { scanner in
            let raw = scanner.rawText(0)
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: raw.count, alignment: 1)
            defer { room.deallocate() }
            return String(decoding: room[..<JSONText.unescape(raw, into: room)], as: UTF8.self)
        }
        #expect(unescaped == expected)
    }

    @Test("a scanner forgets its text after an error and can be used again")
    func reuse() throws {
        var scanner = JSONScanner()
        try Array("[1,2]".utf8).withUnsafeBytes { try scanner.scan($0) }
        #expect(scanner.nodeCount == 3)
        let error = Array("[1,".utf8).withUnsafeBytes { bytes -> JSONError? in
            do throws(JSONError) {
                try scanner.scan(bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(error == JSONError(.unexpectedEnd, at: 3))
        #expect(scanner.nodeCount == 0)
        #expect(scanner.member("a", of: 0) == nil)
        try Array("[[[]]]".utf8).withUnsafeBytes { try scanner.scan($0) }
        #expect(scanner.nodeCount == 3)
    }
}
