import Testing

@Suite("Operators of a rule")
struct OperatorTests {
    @Test("arithmetic", arguments: [
        ("1 + 2", "3"), ("1 - 2", "-1"), ("2 * 3", "6"), ("7 / 2", "3.5"), ("6 / 2", "3.0"), ("7 % 3", "1"), ("-7 % 3", "-1"),
        ("7.5 % 2", "1.5"), ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("10 - 4 - 3", "3"), ("-(3)", "-3"), ("+3", "3"),
        ("- -3", "3"), ("1.5 + 1", "2.5"), ("2 * 1.5", "3.0"), ("0.1 + 0.2", "0.30000000000000004"),
        ("1 / 0", "null"), ("1 % 0", "null"), ("1.0 / 0", "null"), ("1 % 0.0", "null"), ("NULL + 1", "null"),
        ("9223372036854775807 + 1", "9.223372036854776e+18"), ("-9223372036854775808", "-9223372036854775808"),
        ("-(-9223372036854775808)", "9.223372036854776e+18"), ("-9223372036854775808 - 1", "-9.223372036854776e+18"),
        ("9223372036854775807 * 9223372036854775807", "8.507059173023462e+37"), ("1e308 * 10", "null"),
        ("-9223372036854775808 % -1", "0"), ("-9223372036854775808 / -1", "9.223372036854776e+18"),
        ("9223372036854775808", "9.223372036854776e+18"), ("TRUE + 1", "2"), ("'5' + 1", "6"), ("' 2.5 ' * 2", "5.0"),
        ("'5x' + 1", "null"), ("'' + 1", "null"), ("1e3", "1000.0"), (".5", "0.5"), ("- '3'", "-3"), ("- 'x'", "null"),
    ])
    func arithmetic(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("comparison", arguments: [
        ("1 = 1", "true"), ("1 == 1", "true"), ("1 <> 1", "false"), ("1 != 2", "true"), ("1 < 2", "true"), ("2 <= 2", "true"),
        ("2 > 3", "false"), ("3 >= 3", "true"), ("1 = 1.0", "true"), ("1.5 > 1", "true"), ("1 < 1.5", "true"),
        ("9007199254740993 = 9007199254740992.0", "false"), ("9007199254740993 > 9007199254740992.0", "true"),
        ("9007199254740992.0 < 9007199254740993", "true"), ("9223372036854775807 < 1e19", "true"),
        ("-9223372036854775808 > -1e19", "true"), ("-1 > -1.5", "true"), ("-1.5 < -1", "true"),
        ("'a' < 'b'", "true"), ("'a' = 'A'", "false"), ("'a' < 'ab'", "true"), ("'' < 'a'", "true"), ("'' = ''", "true"),
        ("'é' > 'z'", "true"), ("'5' = 5", "true"), ("5 < '10'", "true"), ("'x' = 5", "null"), ("TRUE = 1", "true"),
        ("TRUE > FALSE", "true"), ("'true' = TRUE", "true"), ("FALSE = 'False'", "true"), ("TRUE = 'x'", "null"),
        ("NULL = NULL", "null"), ("1 = NULL", "null"), ("1 <> NULL", "null"),
        ("1 + 1 = 2", "true"), ("1 < 2 AND 2 < 3", "true"), ("'a' || 'b' = 'ab'", "true"),
    ])
    func comparison(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("three-valued logic", arguments: [
        ("TRUE AND TRUE", "true"), ("TRUE AND FALSE", "false"), ("FALSE AND NULL", "false"), ("NULL AND FALSE", "false"),
        ("TRUE AND NULL", "null"), ("NULL AND TRUE", "null"), ("NULL AND NULL", "null"),
        ("TRUE OR NULL", "true"), ("NULL OR TRUE", "true"), ("FALSE OR NULL", "null"), ("NULL OR FALSE", "null"),
        ("FALSE OR FALSE", "false"), ("FALSE OR TRUE", "true"), ("NOT TRUE", "false"), ("NOT FALSE", "true"),
        ("NOT NULL", "null"), ("NOT 1 = 2", "true"), ("NOT NOT TRUE", "true"), ("1 AND 2", "true"), ("0 AND 1", "false"),
        ("0 OR 0.0", "false"), ("'true' AND 1", "true"), ("'0' OR 'FALSE'", "false"), ("'maybe' OR FALSE", "null"),
        ("TRUE OR FALSE AND FALSE", "true"), ("(TRUE OR FALSE) AND FALSE", "false"), ("NOT FALSE AND FALSE", "false"),
        ("NULL IS NULL", "true"), ("1 IS NULL", "false"), ("1 IS NOT NULL", "true"), ("1 / 0 IS NULL", "true"),
        ("NULL IS TRUE", "false"), ("NULL IS NOT TRUE", "true"), ("1 = 1 IS TRUE", "true"), ("0 IS FALSE", "true"),
    ])
    func logic(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("IN, BETWEEN and LIKE", arguments: [
        ("2 IN (1, 2, 3)", "true"), ("4 IN (1, 2, 3)", "false"), ("4 NOT IN (1, 2)", "true"), ("1 NOT IN (1)", "false"),
        ("4 IN (1, NULL)", "null"), ("1 IN (NULL, 1)", "true"), ("4 NOT IN (1, NULL)", "null"), ("NULL IN (1)", "null"),
        ("'b' IN ('a', 'b')", "true"), ("1 + 1 IN (2)", "true"),
        ("2 BETWEEN 1 AND 3", "true"), ("0 BETWEEN 1 AND 3", "false"), ("2 NOT BETWEEN 1 AND 3", "false"),
        ("5 BETWEEN 1 AND NULL", "null"), ("0 BETWEEN 1 AND NULL", "false"), ("2 BETWEEN 1 AND 3 AND FALSE", "false"),
        ("'abc' LIKE 'a%'", "true"), ("'abc' LIKE '%c'", "true"), ("'abc' LIKE '%b%'", "true"), ("'abc' LIKE 'a_c'", "true"),
        ("'abc' LIKE 'a_'", "false"), ("'abc' LIKE 'A%'", "false"), ("'abc' NOT LIKE 'x%'", "true"), ("'' LIKE '%'", "true"),
        ("'' LIKE ''", "true"), ("'' LIKE '_'", "false"), ("'é' LIKE '_'", "true"), ("'aé1' LIKE 'a__'", "true"),
        ("'50%' LIKE '50\\%' ESCAPE '\\'", "true"), ("'50x' LIKE '50\\%' ESCAPE '\\'", "false"),
        ("'a_b' LIKE 'a!_b' ESCAPE '!'", "true"), ("'axb' LIKE 'a!_b' ESCAPE '!'", "false"),
        ("'a%b' LIKE 'a%%b' ESCAPE '%'", "true"), ("'axb' LIKE 'a%%b' ESCAPE '%'", "false"),
        ("'aaab' LIKE '%aab'", "true"), ("'abcabd' LIKE '%ab_'", "true"), ("'abab' LIKE '%ab%ab%'", "true"),
        ("NULL LIKE 'a'", "null"), ("'a' LIKE NULL", "null"), ("123 LIKE '1%'", "true"), ("'a\nb' LIKE 'a_b'", "true"),
    ])
    func tests(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }

    @Test("concatenation, CASE and CAST", arguments: [
        ("'a' || 'b' || 'c'", "\"abc\""), ("'n=' || 1 + 2", "\"n=3\""), ("1.5 || ''", "\"1.5\""), ("'a' || NULL", "null"),
        ("TRUE || '!'", "\"true!\""), ("'it''s'", "\"it's\""), ("''", "\"\""),
        ("CASE WHEN 1 = 2 THEN 'a' WHEN 1 = 1 THEN 'b' ELSE 'c' END", "\"b\""), ("CASE WHEN NULL THEN 1 ELSE 2 END", "2"),
        ("CASE WHEN FALSE THEN 1 END", "null"), ("CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'c' END", "\"c\""),
        ("CASE 9 WHEN 1 THEN 'a' ELSE 'z' END", "\"z\""), ("CASE NULL WHEN NULL THEN 1 ELSE 2 END", "2"),
        ("1 + CASE 1 WHEN 1 THEN CASE WHEN TRUE THEN 5 END END * 2", "11"),
        ("CAST('12' AS INT)", "12"), ("CAST(2.9 AS INT)", "2"), ("CAST(-2.9 AS integer)", "-2"), ("CAST('x' AS INT)", "null"),
        ("CAST(1e30 AS INT)", "null"), ("CAST(TRUE AS INT)", "1"), ("CAST(3 AS REAL)", "3.0"), ("CAST('1e2' AS DOUBLE)", "100.0"),
        ("CAST(1.5 AS TEXT)", "\"1.5\""), ("CAST(NULL AS TEXT)", "null"), ("CAST(0 AS BOOL)", "false"),
        ("CAST('TRUE' AS BOOLEAN)", "true"), ("CAST('x' AS BOOL)", "null"),
    ])
    func others(expression: String, expected: String) throws {
        #expect(try value(of: expression) == expected)
    }
}
