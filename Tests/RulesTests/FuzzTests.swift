import Core
import Payload
import Rules
import TestSupport
import Testing

@Suite("Damaged rules and payloads")
struct FuzzTests {
    private static let rules = [
        #"SELECT *, measurepoints.temp AS t, upper(state) || 'é''' AS "n m", CASE t WHEN 1 THEN a[0].b ELSE -1.5e3 END AS c FROM "/sys/+/#", 'x' WHERE t > 50 AND NOT (a IN (1, NULL) OR b LIKE '%\_' ESCAPE '\') -- end"#,
        #"SELECT CAST(round(measurepoints.temp, 1) AS TEXT) AS r, substr(topic(2), -2, 9) AS s, iif(exists(a.b), json(a), coalesce(c, 2)) AS u FROM 'x' WHERE quality(measurepoints.temp) BETWEEN 1 AND 9 AND n IS NOT NULL"#,
    ]

    /// Compiles the bytes and, if they are a rule, evaluates it. A result must be a JSON object.
    private func exercise(_ sql: [UInt8], _ payload: [UInt8]) {
        let text = String(decoding: sql, as: UTF8.self)
        do throws(RuleError) {
            let program = try RuleProgram(sql: text)
            var context = EvaluationContext()
            check(evaluate(program, payload, context: &context), text, payload)
        } catch {
            #expect(error.line >= 1 && error.column >= 1 && !error.message.isEmpty)
        }
    }

    private func check(_ result: (outcome: Outcome, output: String), _ sql: String, _ payload: [UInt8]) {
        guard result.outcome == .matched else { return }
        var scanner = JSONScanner()
        let isObject = Array(result.output.utf8).withUnsafeBytes { (try? scanner.scan($0)) != nil && scanner[0].kind == .object }
        #expect(isObject, "\(sql) gives \(result.output) for \(payload)")
    }

    @Test("a rule truncated at every byte is refused or is a rule", arguments: rules)
    func truncated(rule: String) {
        let bytes = Array(rule.utf8)
        for count in 0...bytes.count { exercise(Array(bytes[..<count]), Array(devicePost.utf8)) }
    }

    @Test("a rule with every bit flipped is refused or is a rule", arguments: rules)
    func flipped(rule: String) {
        for changed in Array(rule.utf8).bitFlips { exercise(changed, Array(devicePost.utf8)) }
    }

    @Test("words of the language in random order are refused or are a rule")
    func random() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SeededRandom(seed: seed)
        let words = [
            "a", "b.c", "1", "2.5", "'x'", "NULL", "TRUE", "(", ")", ",", "+", "-", "*", "/", "%", "||", "=", "<", ">=", "AND", "OR", "NOT", "IS", "IN",
            "BETWEEN", "LIKE", "ESCAPE", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST(", "AS", "INT", "coalesce(", "iif(", "abs(", "substr(", "topic(",
            "exists(", "json(", "[0]", ".", "\"q\"", "least(", "replace(", "timestamp(",
        ]
        for index in 0..<20_000 {
            var sql = index % 2 == 0 ? "SELECT" : "SELECT 1 AS a FROM 'x' WHERE"
            for _ in 0..<Int.random(in: 1...9, using: &generator) { sql += " " + (words.randomElement(using: &generator) ?? "") }
            exercise(Array((index % 2 == 0 ? sql + " FROM 'x'" : sql).utf8), Array(#"{"a":3,"b":{"c":"x"},"q":[1,{"value":1,"quality":9}]}"#.utf8))
        }
    }

    @Test("a payload truncated at every byte or with every bit flipped fails or gives a JSON object", arguments: rules)
    func payloads(rule: String) throws {
        let program = try RuleProgram(sql: rule)
        let always = try RuleProgram(sql: "SELECT *, measurepoints.temp || measurepoints.state AS x, length(measurepoints.flow) AS l FROM 'x'")
        var context = EvaluationContext()
        let post = Array(devicePost.utf8)
        func run(_ bytes: [UInt8]) {
            check(evaluate(program, bytes, context: &context), rule, bytes)
            check(evaluate(always, bytes, context: &context), always.sql, bytes)
        }
        for count in 0..<post.count { run(Array(post[..<count])) }
        for changed in post.bitFlips { run(changed) }
    }
}
