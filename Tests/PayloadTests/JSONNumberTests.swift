import Payload
import TestSupport
import Testing

func number(_ text: String) -> JSONNumber? { Array(text.utf8).withUnsafeBytes { JSONNumber($0) } }

func written(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return String(decoding: writer.finish(), as: UTF8.self)
}

@Suite("JSON numbers")
struct JSONNumberTests {
    @Test("whole numbers are exact to the ends of 64 bits", arguments: [
        ("0", JSONNumber.int(0)), ("-1", .int(-1)), ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
        ("9223372036854775808", .uint(9_223_372_036_854_775_808)), ("18446744073709551615", .uint(.max)),
        ("18446744073709551616", .double(0x1p64)), ("-9223372036854775809", .double(-9223372036854775808)),
        ("1.0", .double(1)), ("1e2", .double(100)), ("-0", .double(-0.0)), ("9007199254740993", .int(9_007_199_254_740_993)),
        ("9007199254740993.0", .double(9_007_199_254_740_992)), ("0.1", .double(0.1)), ("5e-324", .double(.leastNonzeroMagnitude)),
        ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)), ("1e-999", .double(0)), ("123456789012345678e-5", .double(1234567890123.4568)),
    ])
    func exact(text: String, expected: JSONNumber) {
        #expect(number(text) == expected)
    }

    @Test("what is no number or beyond a Double is nil", arguments: ["", "-", "a", "1x", "1e999", "-1e999", " 1", "1 ", "0x10", "1.", ".1", "--1"])
    func none(text: String) {
        #expect(number(text) == nil)
    }

    @Test("any decimal reads as the nearest Double")
    func decimals() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<5000 {
            let digits = String((0..<Int.random(in: 1...25, using: &generator)).map { _ in "0123456789".randomElement(using: &generator) ?? "0" })
            let exponent = Bool.random(using: &generator) ? "e\(Int.random(in: -330...310, using: &generator))" : ""
            let text = "\(Int.random(in: -999...999, using: &generator)).\(digits)\(exponent)"
            guard let expected = Double(text), expected.isFinite else { continue }
            #expect(number(text)?.double == expected, "\(text), seed \(seed)")
        }
    }

    @Test("a Double and a Float read back as exactly what was written, in the fewest digits")
    func roundTrip() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for index in 0..<5000 {
            let random = Double(bitPattern: generator.next())
            let value = index % 3 == 0 ? random : index % 3 == 1
                ? Double(Int.random(in: -1_000_000...1_000_000, using: &generator)) / 1000 : Double.random(in: -1e6...1e6, using: &generator)
            let text = written { $0.real(value) }
            if value.isFinite {
                #expect(Double(text) == value, "\(value) as \(text), seed \(seed)")
                #expect(text.filter(\.isNumber).count <= value.description.filter(\.isNumber).count, "\(value) as \(text), seed \(seed)")
                #expect(scanError(text) == nil)
            } else {
                #expect(text == "null")
            }
            let float = index % 2 == 0 ? Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())) : Float(value)
            if float.isFinite { #expect(Float(written { $0.real(float) }) == float, "\(float), seed \(seed)") }
        }
    }

    @Test("numbers are written as JSON has them", arguments: [
        (21.5, "21.5"), (50, "50.0"), (-0.0, "-0.0"), (0, "0.0"), (0.1, "0.1"), (1e300, "1e+300"), (.leastNonzeroMagnitude, "5e-324"), (0.0001, "0.0001"),
        (0.00001, "1e-05"), (123456789.125, "123456789.125"), (.nan, "null"), (.infinity, "null"), (-.infinity, "null"), (0.30000000000000004, "0.30000000000000004"),
    ])
    func doubles(value: Double, expected: String) {
        #expect(written { $0.real(value) } == expected)
    }

    @Test("a Float is as short as its own precision, and whole numbers reach the ends of 64 bits")
    func others() {
        #expect(written { $0.real(Float(21.1)) } == "21.1")
        #expect(written { $0.real(Float.greatestFiniteMagnitude) } == "3.4028235e+38")
        #expect(written { $0.integer(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
        #expect(written { $0.integer(Int64(0)) } == "0")
    }
}
