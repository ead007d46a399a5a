import Core
import Rules
import Testing

@Suite("The language of rules")
struct SyntaxTests {
    @Test("a mistake is told with its line and column", arguments: [
        ("", 1, 1, "expected SELECT at the start of the rule, found the end of the rule"),
        ("SELCT a", 1, 1, "expected SELECT at the start of the rule, found SELCT"),
        ("SELECT FROM 'x'", 1, 8, "expected a column before FROM"),
        ("SELECT a", 1, 9, "expected FROM after the select list, found the end of the rule"),
        ("SELECT a WHERE b", 1, 10, "expected a comma, AS or FROM after the column, found WHERE"),
        ("SELECT a b FROM 'x'", 1, 10, "expected a comma, AS or FROM after the column, found b"),
        ("SELECT a\nFROM x", 2, 6, "expected a topic filter in quotes after FROM, found x"),
        ("SELECT a FROM 'a/#/b'", 1, 15, "a/#/b is not a topic filter"),
        ("SELECT a FROM ''", 1, 15, "an empty text is not a topic filter"),
        ("SELECT a FROM 'x' HAVING 1", 1, 19, "HAVING is not supported"),
        ("SELECT a FROM 'x' WHERE", 1, 24, "expected an expression, found the end of the rule"),
        ("SELECT a FROM 'x' WHERE a b", 1, 27, "expected the end of the rule, found b"),
        ("SELECT a FROM 'x' b", 1, 19, "expected WHERE or the end of the rule after the topic filters, found b"),
        ("SELECT rond(a) FROM 'x'", 1, 8, "there is no function rond; did you mean round?"),
        ("SELECT xyzzy(a) FROM 'x'", 1, 8, "there is no function xyzzy"),
        ("SELECT abs() FROM 'x'", 1, 8, "abs takes 1 argument"),
        ("SELECT abs(1, 2) FROM 'x'", 1, 8, "abs takes 1 argument"),
        ("SELECT substr(1) FROM 'x'", 1, 8, "substr takes 2 to 3 arguments"),
        ("SELECT iif(1) FROM 'x'", 1, 8, "iif takes 3 arguments"),
        ("SELECT quality(1) FROM 'x'", 1, 16, "quality takes a path of the payload"),
        ("SELECT a,\n  'x FROM 'y", 2, 12, "expected a comma, AS or FROM after the column, found y"),
        ("SELECT 'x", 1, 8, "the text that starts here has no closing '"),
        ("SELECT \"\" FROM 'x'", 1, 8, "the name between the quotes is empty"),
        ("SELECT 'é', ? FROM 'x'", 1, 13, "unexpected '?'"),
        ("SELECT 1a FROM 'x'", 1, 8, "a name cannot start with a digit; put it in double quotes"),
        ("SELECT 1e999 FROM 'x'", 1, 8, "1e999 is out of range"),
        ("SELECT (1 FROM 'x'", 1, 11, "expected an operator or ), found FROM"),
        ("SELECT 1 + FROM 'x'", 1, 12, "expected an expression, found FROM"),
        ("SELECT 1 < 2 < 3 FROM 'x'", 1, 14, "comparisons cannot be chained; use AND or BETWEEN"),
        ("SELECT 1 + * FROM 'x'", 1, 12, "* can stand only as a column of its own"),
        ("SELECT a, * AS b FROM 'x'", 1, 13, "* has no name of its own"),
        ("SELECT *, a.* FROM 'x'", 1, 11, "only one column can be * or path.*"),
        ("SELECT a, b.a FROM 'x'", 1, 11, "two columns are called a; give one another name with AS"),
        ("SELECT a AS select FROM 'x'", 1, 13, "select is a word of the language; put it in double quotes to use it as a name"),
        ("SELECT a[x] FROM 'x'", 1, 10, "expected a whole number from 0 in the brackets, found x"),
        ("SELECT a[0 FROM 'x'", 1, 12, "expected ] after the index, found FROM"),
        ("SELECT a. FROM 'x'", 1, 16, "expected a comma, AS or FROM after the column, found 'x'"),
        ("SELECT a NOT 1 FROM 'x'", 1, 14, "expected IN, BETWEEN or LIKE after NOT, found 1"),
        ("SELECT a IS 1 FROM 'x'", 1, 13, "expected NULL, TRUE or FALSE after IS, found 1"),
        ("SELECT a BETWEEN 1 FROM 'x'", 1, 20, "expected AND between the two ends of BETWEEN, found FROM"),
        ("SELECT a LIKE 'b' ESCAPE 'ab' FROM 'x'", 1, 26, "expected one character in single quotes after ESCAPE, found 'ab'"),
        ("SELECT CASE 1 END FROM 'x'", 1, 15, "expected WHEN in CASE, found END"),
        ("SELECT CASE WHEN 1 THEN 2 FROM 'x'", 1, 27, "expected WHEN, ELSE or END in CASE, found FROM"),
        ("SELECT CAST(1 AS BLOB) FROM 'x'", 1, 18, "expected INT, REAL, TEXT or BOOL after AS, found BLOB"),
        ("SELECT (SELECT 1) FROM 'x'", 1, 9, "a SELECT inside an expression is not supported"),
        ("SELECT 1 + NOT 2 FROM 'x'", 1, 12, "put NOT and its operand in parentheses"),
        ("SELECT a + 1 AS b FROM 'x' WHERE b.c", 1, 34, "b is an expression of the select list and has no members"),
        ("SELECT DISTINCT a FROM 'x'", 1, 8, "DISTINCT is not supported"),
    ])
    func mistakes(sql: String, line: Int, column: Int, message: String) {
        #expect(throws: RuleError(line: line, column: column, message: message)) { try RuleProgram(sql: sql) }
    }

    @Test("limits are refused with a message, not with a crash")
    func limits() {
        func refusal(_ sql: String) -> String? {
            do throws(RuleError) {
                _ = try RuleProgram(sql: sql)
                return nil
            } catch {
                return error.message
            }
        }
        func nested(_ count: Int) -> String {
            "SELECT \(String(repeating: "(", count: count))1\(String(repeating: ")", count: count)) FROM 'x'"
        }
        #expect(refusal(nested(60)) == nil)
        #expect(refusal(nested(70)) == "expressions are nested more than 64 deep")
        #expect(refusal("SELECT \(String(repeating: "- ", count: 5000))1 FROM 'x'") == "expressions are nested more than 64 deep")
        #expect(refusal("SELECT 1\(String(repeating: "+1", count: 3000)) FROM 'x'") == nil)
        #expect(refusal("SELECT 1 FROM '\(String(repeating: "x", count: 20000))'") == "the rule is longer than 16384 bytes")
        let columns = (0...256).map { "\($0)" }.joined(separator: ",")
        #expect(refusal("SELECT \(columns) FROM 'x'") == "more than 256 columns")
        #expect(refusal("SELECT 1 IN (\(columns)) FROM 'x'") == "more than 256 values after IN")
        #expect(refusal("SELECT a\(String(repeating: ".a", count: 40)) FROM 'x'") == "a path has at most 32 steps")
        let alias = "SELECT 1\(String(repeating: "+1", count: 2000)) AS a FROM 'x' WHERE a+a+a+a+a"
        #expect(refusal(alias) == "the rule needs more than 8192 instructions")
    }

    @Test("words of the language may be in any case, and comments and line breaks stand anywhere")
    func spacing() throws {
        let sql = "select a -- the value\n  As b,\n1--2\nfrom 'x','y'\twhere\r\nnot(a)is null"
        #expect(try evaluate(sql, #"{"a":1}"#).output == #"{"b":1,"1":1}"#)
        #expect(try RuleProgram(sql: sql).filters.map(\.text) == ["x", "y"])
    }
}
