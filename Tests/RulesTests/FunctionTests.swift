import Rules
import Testing

@Suite("Functions of a rule")
struct FunctionTests {
    @Test("of numbers", arguments: [
        ("abs(-3)", "3"), ("abs(-2.5)", "2.5"), ("abs(-9223372036854775808)", "9.223372036854776e+18"), ("abs(NULL)", "null"),
        ("sign(-2)", "-1"), ("sign(0)", "0"), ("sign(0.5)", "1"),
        ("round(2.5)", "3"), ("round(-2.5)", "-3"), ("round(2.345, 2)", "2.35"), ("round(21.567, 1)", "21.6"), ("round(7)", "7"),
        ("round(1234, -2)", "1200"), ("round(1250.0, -2)", "1300.0"), ("round(7, 2)", "7"), ("round(1e300)", "1e+300"),
        ("round(1.5, NULL)", "null"), ("round(1e300, 3)", "1e+300"), ("round(1.23456789, 99)", "1.23456789"),
        ("floor(2.7)", "2"), ("floor(-2.1)", "-3"), ("ceil(2.1)", "3"), ("ceiling(-2.9)", "-2"), ("floor(5)", "5"),
        ("floor(9007199254740993)", "9007199254740993"),
        ("sqrt(9)", "3.0"), ("sqrt(-1)", "null"), ("power(2, 10)", "1024.0"), ("pow(0, -1)", "null"), ("exp(0)", "1.0"),
        ("ln(1)", "0.0"), ("ln(0)", "null"), ("log10(1000)", "3.0"), ("mod(7, 3)", "1"), ("bit(12, 2)", "true"), ("bit(12, 0)", "false"), ("bit(1, 64)", "null"), ("bits(12, 1, 2)", "2"), ("bits(-1, 60, 63)", "15"), ("bits(1, 3, 2)", "null"), ("mod(7, 0)", "null"),
        ("div(7, 2)", "3"), ("div(-7, 2)", "-3"), ("div(7, 0)", "null"), ("div(-9223372036854775808, -1)", "9.223372036854776e+18"),
        ("div(7.5, 2)", "3"),
        ("least(3, 1.5, 2)", "1.5"), ("greatest(3, 1.5, 2)", "3"), ("min(1, NULL)", "null"), ("max('a', 'b')", "\"b\""),
        ("max(NULL)", "null"), ("min(1, 'x')", "null"),
    ])
    func numbers(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("of choice", arguments: [
        ("coalesce(NULL, NULL, 3)", "3"), ("coalesce(1, 2)", "1"), ("coalesce(NULL)", "null"), ("ifnull(NULL, 'x')", "\"x\""),
        ("1 + coalesce(NULL, 2) * 3", "7"), ("nullif(1, 1)", "null"), ("nullif(1, 2)", "1"), ("nullif(NULL, 2)", "null"),
        ("iif(1 < 2, 'a', 'b')", "\"a\""), ("iif(NULL, 'a', 'b')", "\"b\""), ("iif(FALSE, 1, iif(TRUE, 2, 3))", "2"),
    ])
    func choice(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("of texts", arguments: [
        ("lower('AbÉ[')", "\"abÉ[\""), ("upper('abé{')", "\"ABé{\""), ("upper(NULL)", "null"), ("upper(1)", "\"1\""),
        ("length('aé€😀')", "4"), ("length('')", "0"), ("length(NULL)", "null"), ("length(12.5)", "4"),
        ("substr('hello', 2)", "\"ello\""), ("substr('hello', 2, 3)", "\"ell\""), ("substr('hello', -3)", "\"llo\""),
        ("substr('hello', -3, 2)", "\"ll\""), ("substr('hello', 0, 3)", "\"he\""), ("substr('hello', 9)", "\"\""),
        ("substr('hello', 2, 0)", "\"\""), ("substr('hello', 2, -1)", "\"\""), ("substr('aé€😀', 2, 2)", "\"é€\""),
        ("substr('hello', -99, 3)", "\"he\""), ("substr('hello', 2, 9223372036854775807)", "\"ello\""),
        ("substr('hello', -9223372036854775808, 9223372036854775807)", "\"hello\""), ("substr('x', NULL)", "null"),
        ("substring('hello', 5, 1)", "\"o\""), ("substr('', 1)", "\"\""),
        ("trim('  a b ')", "\"a b\""), ("ltrim('  a ')", "\"a \""), ("rtrim('  a ')", "\"  a\""), ("trim('   ')", "\"\""),
        ("trim('')", "\"\""),
        ("replace('a-b-c', '-', '+')", "\"a+b+c\""), ("replace('abc', 'x', 'y')", "\"abc\""), ("replace('aaa', 'aa', 'b')", "\"ba\""),
        ("replace('abc', '', 'y')", "\"abc\""), ("replace('abc', 'abc', '')", "\"\""), ("replace('a', 'a', NULL)", "null"),
        ("replace('aXbX' || '', 'X', 'yz' || '!')", "\"ayz!byz!\""), ("replace('', 'a', 'b')", "\"\""),
        ("concat('a', 1, NULL, TRUE)", "\"a1true\""), ("concat(NULL)", "\"\""), ("concat('x' || 'y', 'z' || '')", "\"xyz\""),
        ("starts_with('alarm/7', 'alarm')", "true"), ("starts_with('a', 'ab')", "false"), ("ends_with('a.csv', '.csv')", "true"),
        ("contains('abcd', 'bc')", "true"), ("contains('abcd', 'x')", "false"), ("contains('a', '')", "true"),
        ("contains(NULL, 'a')", "null"),
    ])
    func texts(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("of the message", arguments: [
        ("topic()", "\"/sys/meter/m1/thing/measurepoint/post\""), ("topic(1)", "\"sys\""), ("topic(2)", "\"meter\""),
        ("topic(6)", "\"post\""), ("topic(7)", "null"), ("topic(0)", "null"), ("topic(-1)", "\"post\""), ("topic(-6)", "\"sys\""),
        ("topic(-7)", "null"), ("topic(-9223372036854775808)", "null"), ("topic(NULL)", "null"), ("topic('2')", "\"meter\""),
        ("now()", "1700000000123"), ("timestamp()", "\"2023-11-14T22:13:20.123Z\""), ("timestamp(0)", "\"1970-01-01T00:00:00.000Z\""),
        ("timestamp(-1)", "\"1969-12-31T23:59:59.999Z\""), ("timestamp(951782400000)", "\"2000-02-29T00:00:00.000Z\""),
        ("timestamp(-62167219200000)", "\"0000-01-01T00:00:00.000Z\""), ("timestamp(253402300799999)", "\"9999-12-31T23:59:59.999Z\""),
        ("timestamp(253402300800000)", "null"), ("timestamp(9223372036854775807)", "null"),
        ("quality(measurepoints.temp)", "9"), ("quality(measurepoints.count)", "null"), ("quality(measurepoints.none)", "null"),
        ("reason(measurepoints.flow)", "\"timeout\""), ("exists(measurepoints.flow)", "true"), ("exists(measurepoints.none)", "false"),
        ("json(measurepoints.temp)", "{\"value\":61.5,\"quality\":9}"), ("length(measurepoints)", "4"),
        ("typeof(measurepoints)", "\"object\""), ("typeof(measurepoints.temp)", "\"real\""), ("typeof(measurepoints.flow)", "\"null\""),
        ("typeof(measurepoints.count)", "\"integer\""), ("typeof(measurepoints.state)", "\"text\""), ("typeof(1 = 1)", "\"boolean\""),
    ])
    func message(expression: String, expected: String) throws {
        #expect(try value(of: expression, devicePost) == expected)
    }

    @Test("payload() is the payload as text, NULL if it is not UTF-8")
    func payloadText() throws {
        #expect(try value(of: "payload() || '!'", "not json") == "\"not json!\"")
        var context = EvaluationContext()
        let program = try RuleProgram(sql: "SELECT payload() AS p FROM '#'")
        #expect(evaluate(program, [0x41, 0xFF], context: &context).output == "{\"p\":null}")
    }
}
