import Testing

@testable import Configuration

@Suite("TOML with positions")
struct TOMLTests {
    private func parse(_ text: String) throws(TOMLSyntaxError) -> TOMLValue {
        try parse(bytes: Array(text.utf8))
    }

    private func parse(bytes: [UInt8]) throws(TOMLSyntaxError) -> TOMLValue {
        let result = bytes.withUnsafeBufferPointer { bytes in
            Result { () throws(TOMLSyntaxError) in try TOMLValue.parse(bytes) }
        }
        return try result.get()
    }

    private func entries(_ value: TOMLValue) -> [TOMLEntry] {
        if case .table(let entries) = value.content { entries } else { [] }
    }

    @Test("keys, values and headers know their line and column, counted in characters")
    func positions() throws {
        let root = try parse("a.b = 1\n\n  [t]\n  \"ü\" = [2, 3.5]\n")
        let a = try #require(entries(root).first)
        let b = try #require(entries(a.value).first)
        #expect(b.keyMark == TOMLMark(line: 1, column: 3) && b.value.mark == TOMLMark(line: 1, column: 7))
        let t = try #require(entries(root).last)
        #expect(t.mark == TOMLMark(line: 3, column: 3))
        let array = try #require(entries(t.value).first)
        #expect(array.keyMark == TOMLMark(line: 4, column: 3) && array.key == "ü")
        guard case .array(let elements) = array.value.content else { return #expect(Bool(false), "not an array") }
        #expect(elements.map(\.mark.column) == [10, 13])
    }

    @Test("every kind of value is told apart")
    func kinds() throws {
        let root = try parse("a = {}\nb = []\nc = ''\nd = 1\ne = 1.0\nf = true\ng = 2020-01-01\n")
        #expect(entries(root).map(\.value.kind) == [
            "a table", "an array", "a string", "an integer", "a number with a fraction", "a boolean", "a date or time",
        ])
    }

    @Test("a syntax error has its position", arguments: [
        ("a = 1\na = 2\n", 2, 5), ("a = \n", 1, 5), ("[t\n", 1, 3), ("a = 1\n[=]\n", 2, 2), ("a = é\n", 1, 5),
        ("[a]\n[.b]\n", 2, 2), ("x = [1, 2.5ijit]\n", 1, 12),
    ])
    func syntaxErrors(text: String, line: UInt32, column: UInt32) {
        let error = #expect(throws: TOMLSyntaxError.self) { try parse(text) }
        #expect(error?.mark == TOMLMark(line: line, column: column))
        #expect(error?.message.hasPrefix("syntax error") == true)
    }

    @Test("bytes that are not UTF-8, zero bytes and a byte order mark do no harm")
    func encodings() throws {
        #expect(throws: TOMLSyntaxError.self) { try parse(bytes: Array("a = \"".utf8) + [0xFF, 0x22]) }
        #expect(throws: TOMLSyntaxError.self) { try parse(bytes: Array("a = \"".utf8) + [0, 0x22]) }
        #expect(throws: TOMLSyntaxError.self) { try parse(bytes: Array("a = \"".utf8) + [0xC3]) }
        #expect(entries(try parse(bytes: [0xEF, 0xBB, 0xBF] + Array("a = 1".utf8))).count == 1)
    }

    /// What to repeat how often before what.
    @Test("keys and values that nest without end are refused", arguments: [
        ("[", "a.", 300_000, "a]"), ("", "a.", 300_000, "a = 1"), ("[[", "\"a\".", 300_000, "a]]"),
        ("a = ", "[", 300_000, ""), ("a = ", "{a=", 300_000, ""), ("a = ", "{a.a.a.a.a.a=", 30, "1"),
    ])
    func nesting(start: String, piece: String, count: Int, end: String) {
        #expect(throws: TOMLSyntaxError.self) { try parse(start + String(repeating: piece, count: count) + end) }
    }

    @Test("a valid value is refused when its tables nest more than 64 deep")
    func depth() throws {
        func text(_ count: Int) -> String {
            "a = " + String(repeating: "{a.a.a.a=", count: count) + "1" + String(repeating: "}", count: count)
        }
        _ = try parse(text(15))
        #expect(throws: TOMLSyntaxError.self) { try parse(text(16)) }
    }

    @Test("dots in strings and comments are not parts of a key")
    func dots() throws {
        let dots = String(repeating: ".", count: 1000)
        let text = """
            # \(dots)
            "\(dots)" = '\(dots)' # \(dots)
            b = \"\"\"\(dots)"" \\\" \"\"\"\"
            c = '''\(dots)'' '''''
            d = "\\\\" # \(dots)
            """
        #expect(entries(try parse(text)).count == 4)
        let endless = String(repeating: "a.", count: 16) + "a = 1"
        let ends = [endless, "e = { f = \"\"\"x\"\"\"\", \(endless) }", "e = { f = '''x''''', \(endless) }"]
        for end in ends {
            let error = #expect(throws: TOMLSyntaxError.self) { try parse("\(text)\n\(end)\n") }
            #expect(error?.message.contains("too many parts") == true)
        }
    }
}
