import Core
import Payload
import Rules
import Testing

@Suite("Rules")
struct RuleTests {
    @Test("a device post above the threshold gives its value under the alias")
    func threshold() throws {
        let sql = #"SELECT measurepoints.temp AS t FROM "/sys/+/+/thing/measurepoint/post" WHERE t > 50"#
        #expect(try evaluate(sql).output == #"{"t":61.5}"#)
        #expect(try evaluate(sql, #"{"params":{"measurepoints":{"temp":{"value":21.5,"quality":9}}}}"#).outcome == .noMatch)
        #expect(try evaluate(sql, #"{"params":{"measurepoints":{"temp":50.5}}}"#).output == #"{"t":50.5}"#)
        #expect(try evaluate(sql, #"{"measurepoints":{"temp":51}}"#).output == #"{"t":51}"#)
        #expect(try evaluate(sql, #"{"temp":99}"#).outcome == .noMatch)
        #expect(try RuleProgram(sql: sql).filters == [#require(TopicFilter("/sys/+/+/thing/measurepoint/post"))])
    }

    @Test("paths", arguments: [
        ("a.b[0].c", #"{"a":{"b":[{"c":5}]}}"#, "5"), ("a.b[1].c", #"{"a":{"b":[{"c":5}]}}"#, "null"),
        ("a[0][1]", #"{"a":[[1,2]]}"#, "2"), (#""odd name""#, #"{"odd name":1}"#, "1"), ("`a.b`", #"{"a.b":1}"#, "1"),
        (#"a."x""y""#, #"{"a":{"x\"y":1}}"#, "1"), ("a.from", #"{"a":{"from":1}}"#, "1"), ("größe", #"{"größe":1}"#, "1"),
        ("größe", #"{"gr\u00f6\u00DFe":1}"#, "1"), ("a", #"{"a":"x\ny"}"#, #""x\ny""#), ("a || ''", #"{"a":"x\u000ay\ud83d\ude00"}"#, #""x\ny😀""#),
        ("a", #"{"a":1.10}"#, "1.10"), ("a", #"{"a":18446744073709551615}"#, "18446744073709551615"),
        ("a + 0", #"{"a":18446744073709551615}"#, "1.8446744073709552e+19"), ("a", #"{"a":[1, 2]}"#, "[1, 2]"),
        ("a", #"{"a":1,"a":2}"#, "1"), ("id", devicePost, #""1""#), ("time", devicePost, "1700000000000"),
        ("measurepoints.temp.quality", devicePost, "9"), ("measurepoints.temp.value", devicePost, "61.5"),
        ("measurepoints.flow", devicePost, "null"), ("params.time", devicePost, "1700000000000"),
        ("b", #"{"a":1,"params":[1]}"#, "null"), ("a.b", #"{"a":1,"params":{"a":{"b":2}}}"#, "null"), ("a", "[1]", "null"),
        ("a + 1", #"{"a":{"value":1,"quality":9}}"#, "2"), ("a", #"{"a":{"value":1}}"#, #"{"value":1}"#),
        ("a", #"{"a":{"value":{"value":1,"quality":1},"quality":9}}"#, #"{"value":1,"quality":1}"#), ("a + 1", #"{"a":1e999}"#, "null"),
        ("a = a", #"{"a":[1]}"#, "null"), ("a || ''", #"{"a":[1, 2]}"#, #""[1, 2]""#),
    ])
    func paths(path: String, payload: String, expected: String) throws {
        #expect(try value(of: path, payload) == expected)
    }

    @Test("column names come from AS, the path's last name or the expression's own words")
    func names() throws {
        #expect(try result("SELECT a.b, a.c[0], a.d+1, topic(1) FROM x", #"{"a":{"b":1,"c":[2],"d":3}}"#) == #"{"b":1,"c":2,"a.d+1":4,"topic(1)":"sys"}"#)
        #expect(try result(#"SELECT 1 AS "a ""b""" FROM x"#, "{}") == #"{"a \"b\"":1}"#)
    }

    private func result(_ sql: String, _ payload: String) throws -> String {
        try evaluate(sql.replacing("FROM x", with: "FROM 'x'"), payload).output
    }

    @Test("* copies the members of the payload, and a column of the same name replaces one")
    func members() throws {
        #expect(try result("SELECT * FROM x", #"{"a": 1.50, "b":[1, 2],"c\n":null}"#) == #"{"a":1.50,"b":[1, 2],"c\n":null}"#)
        #expect(try result("SELECT *, a * 2 AS a FROM x", #"{"a":1,"b":2}"#) == #"{"b":2,"a":2}"#)
        #expect(try result("SELECT a.* FROM x", #"{"a":{"p":1,"q":{"r":2}}}"#) == #"{"p":1,"q":{"r":2}}"#)
        #expect(try result("SELECT a.*, 1 AS z FROM x", #"{"a":3}"#) == #"{"z":1}"#)
        #expect(try evaluate("SELECT * FROM 'x'", "[1]").outcome == .failed(.payloadNotAnObject))
    }

    @Test("an alias in WHERE may be an expression, or a path that goes on")
    func aliases() throws {
        let payload = #"{"a":{"v":3},"b":1}"#
        #expect(try result("SELECT a.v * 2 AS d FROM x WHERE d = 6 AND d + d = 12", payload) == #"{"d":6}"#)
        #expect(try result("SELECT a AS q FROM x WHERE q.v = 3", payload) == #"{"q":{"v":3}}"#)
        #expect(try result("SELECT a AS q FROM x WHERE exists(q.v) AND NOT exists(q.w)", payload) == #"{"q":{"v":3}}"#)
        #expect(try result("SELECT 5 AS b FROM x WHERE b = 5", payload) == #"{"b":5}"#)
        #expect(try result("SELECT CASE WHEN b = 1 THEN 'one' ELSE 'more' END AS c FROM x WHERE c LIKE 'o%'", payload) == #"{"c":"one"}"#)
    }

    @Test("a payload that is not JSON fails a rule that reads it, and no other")
    func notJSON() throws {
        #expect(try evaluate("SELECT a FROM 'x'", "{\"a\":").outcome == .failed(.payloadNotJSON(JSONError(.unexpectedEnd, at: 5))))
        #expect(try evaluate("SELECT topic(1) AS t FROM 'x'", "{\"a\":").output == #"{"t":"sys"}"#)
        #expect(try evaluate("SELECT a FROM 'x'", "").outcome == .failed(.payloadNotJSON(JSONError(.empty, at: 0))))
    }

    @Test("a result beyond a limit fails the rule")
    func limits() throws {
        let long = #"{"a":"\#(String(repeating: "x", count: 300_000))"}"#
        #expect(try evaluate("SELECT a || a || a || a AS b FROM 'x'", long).outcome == .failed(.limitExceeded))
        #expect(try evaluate("SELECT 1 AS b FROM 'x' WHERE a || a || a || a = ''", long).outcome == .failed(.limitExceeded))
        let slow = #"{"a":"\#(String(repeating: "a", count: 100_000))","p":"%\#(String(repeating: "a", count: 1000))b"}"#
        #expect(try evaluate("SELECT 1 AS b FROM 'x' WHERE a LIKE p", slow).outcome == .failed(.limitExceeded))
        #expect(try evaluate("SELECT 1 AS b FROM 'x' WHERE contains(a, substr(p, 2))", slow).outcome == .failed(.limitExceeded))
    }

    @Test("several rules read one message that is loaded once")
    func shared() throws {
        var context = EvaluationContext()
        var output: [UInt8] = []
        let rules = try ["SELECT a + 1 AS x FROM 'x'", "SELECT 'n' || a AS x FROM 'x'"].map { sql throws(RuleError) in try RuleProgram(sql: sql) }
        let results = Array(#"{"a":1}"#.utf8).withUnsafeBytes { payload in
            context.load(topic: payload, payload: payload, publishedAt: Timestamp(milliseconds: 0))
            var results: [String] = []
            for rule in rules {
                #expect(rule.evaluate(&context, output: &output) == .matched)
                results.append(String(decoding: output, as: UTF8.self))
            }
            context.unload()
            return results
        }
        #expect(results == [#"{"x":2}"#, #"{"x":"n1"}"#])
    }
}
