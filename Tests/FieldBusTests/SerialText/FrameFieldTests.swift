import Core
import FieldBus
import TestSupport
import Testing

@Suite("Frame fields")
struct FrameFieldTests {
    static let pattern = (try? TextPattern("^(?<status>ST|US),(?<weight>[+-] *[0-9.]+)kg$"))

    static let cases: [(address: String, PointType, frame: String, FrameField.Outcome)] = [
        ("frame", .string, " hello ", .value(.string("hello"))),
        ("frame", .int, "-12", .value(.int(-12))),
        ("frame", .int, "40000", .invalid(.outOfRange)),
        ("frame", .uint, "65535", .value(.uint(65_535))),
        ("frame", .uint, "-1", .invalid(.outOfRange)),
        ("frame", .lreal, "nan", .invalid(.outOfRange)),
        ("frame", .lreal, "1e999", .invalid(.outOfRange)),
        ("frame", .lreal, "- 1.5", .value(.lreal(-1.5))),
        ("frame", .lreal, "--1", .invalid(.outOfRange)),
        ("frame", .bool, "ON", .value(.bool(true))),
        ("frame", .bool, "2", .invalid(.outOfRange)),
        (#"/^ST,GS,(?<value>[+-] *[\d.]+)kg/"#, .lreal, "ST,GS,+  12.345kg", .value(.lreal(12.345))),
        (#"/^ST,GS,(?<value>[+-] *[\d.]+)kg/"#, .lreal, "US,GS,+  12.345kg", .absent),
        ("/([0-9]+)/", .udint, "n=7;", .value(.uint(7))),
        ("/[0-9]+/", .udint, "n=7;", .value(.uint(7))),
        ("group:weight", .real, "ST,- 2.5kg", .value(.real(-2.5))),
        ("group:weight", .real, "2.5", .absent),
        ("column:2", .dint, "a,5,b", .value(.int(5))),
        ("column:3", .string, "a,5,b,c", .value(.string("b"))),
        ("column:4", .dint, "a,5,b", .absent),
        ("byte:1", .uint, "x\u{1}\u{2}", .value(.uint(0x0102))),
        ("byte:1:little", .uint, "x\u{1}\u{2}", .value(.uint(0x0201))),
        ("byte:2", .uint, "x\u{1}\u{2}", .absent),
        ("byte:0", .real, "\u{3f}\u{40}\u{0}\u{0}", .value(.real(0.75))),
        ("byte:0", .bool, "\u{4}", .value(.bool(true))),
        ("byte:2", .string, "abcd", .value(.string("cd"))),
    ]

    @Test("a field is read as its address and type say", arguments: cases.indices)
    func reads(index: Int) throws {
        let (address, type, frame, expected) = Self.cases[index]
        let field = try FrameField(address, pattern: Self.pattern)
        #expect(field.read(Array(frame.utf8), as: type) == expected)
    }

    @Test(
        "an address that cannot be is refused",
        arguments: ["", "weight", "column:0", "column:x", "byte:-1", "byte:1:middle", "group:none", "/(/", "nmea:GGA", "nmea:GGA.x", "nmea:XYZ.lat"])
    func refused(address: String) {
        #expect(throws: FieldBusError.self) { _ = try FrameField(address, pattern: Self.pattern) }
    }

    @Test("no frame makes a field trap")
    func fuzz() throws {
        let fields = try Self.cases.map { try FrameField($0.address, pattern: Self.pattern) }
            + ["GGA.latitude", "RMC.date-time", "ZDA.date-time", "GLL.time", "VTG.200"].map { try FrameField("nmea:" + $0) }
        for seed in UInt64(0)..<500 {
            var random = SeededRandom(seed: seed)
            let frame = random.bytes(random.below(80))
            for field in fields { for type in PointType.allCases { _ = field.read(frame, as: type) } }
        }
    }
}

@Suite("NMEA 0183")
struct NMEATests {
    static func sentence(_ body: String) -> [UInt8] {
        let sum = body.utf8.reduce(0, ^)
        return Array("$\(body)*\(sum < 16 ? "0" : "")\(String(sum, radix: 16, uppercase: true))".utf8)
    }

    static let position = "GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"
    static let minimum = "GNRMC,220516.50,A,5133.82,N,00042.24,W,173.8,231.8,130694,004.2,W"

    @Test("the check sum of the well-known example holds")
    func knownCheckSum() throws {
        let sentence = try NMEASentence(Array("\(String(decoding: Self.sentence(Self.position), as: UTF8.self))\r\n".utf8))
        #expect(String(decoding: Self.sentence(Self.position), as: UTF8.self).hasSuffix("*47"))
        #expect(sentence.talker == "GP")
        #expect(sentence.type == "GGA")
        #expect(sentence.field(7) == Array("08".utf8))
        #expect(sentence.field(13) == nil)
    }

    static let values: [(address: String, PointType, String, FrameField.Outcome)] = [
        ("GGA.latitude", .lreal, position, .value(.lreal(48 + 7.038 / 60))),
        ("GGA.longitude", .lreal, position, .value(.lreal(11 + 31.0 / 60))),
        ("GPGGA.altitude", .real, position, .value(.real(545.4))),
        ("GNGGA.altitude", .real, position, .absent),
        ("GGA.satellites", .uint, position, .value(.uint(8))),
        ("GGA.time", .string, position, .value(.string("12:35:19"))),
        ("GGA.13", .string, position, .invalid(.notYetRead)),
        ("RMC.latitude", .lreal, position, .absent),
        ("RMC.longitude", .lreal, minimum, .value(.lreal(-(0 + 42.24 / 60)))),
        ("RMC.date-time", .string, minimum, .value(.string("1994-06-13T22:05:16.500Z"))),
        ("RMC.status", .bool, minimum, .value(.bool(true))),
        ("RMC.7", .lreal, minimum, .value(.lreal(173.8))),
        ("ZDA.date-time", .string, "GPZDA,201530.00,04,07,2026,00,00", .value(.string("2026-07-04T20:15:30Z"))),
        ("GGA.latitude", .lreal, "GPGGA,,,,,,0,00,,,M,,M,,", .invalid(.notYetRead)),
        ("GGA.latitude", .lreal, "GPGGA,1,9100.00,N,00000.0,E,1", .invalid(.outOfRange)),
        ("GGA.latitude", .lreal, "GPGGA,1,4860.00,N,00000.0,E,1", .invalid(.outOfRange)),
        ("GGA.latitude", .lreal, "GPGGA,1,4807.00,E,00000.0,E,1", .invalid(.outOfRange)),
        ("GGA.time", .string, "GPGGA,246000,4807.00,N", .invalid(.outOfRange)),
        ("PGRMZ.1", .int, "PGRMZ,93,f,3", .value(.int(93))),
    ]

    @Test("a sentence's fields become values", arguments: values.indices)
    func value(index: Int) throws {
        let (address, type, body, expected) = Self.values[index]
        #expect(try FrameField("nmea:" + address).read(Self.sentence(body), as: type) == expected)
    }

    @Test("no sentence with a flipped bit is believed")
    func flippedBits() throws {
        let field = try FrameField("nmea:GGA.latitude")
        let sentence = Self.sentence(Self.position)
        let right = field.read(sentence, as: .lreal)
        for index in sentence.indices {
            for bit in 0..<8 {
                var damaged = sentence
                damaged[index] ^= 1 << UInt8(bit)
                let read = field.read(damaged, as: .lreal)
                // The check sum's letters may turn into small ones, which say the same.
                #expect(read == .absent || read == right, "byte \(index) bit \(bit): \(read)")
            }
        }
    }

    @Test("what was cut off before a sentence does not matter, and what is cut off after it does")
    func cutOff() throws {
        let sentence = Self.sentence(Self.position)
        #expect(try NMEASentence(Array("$GPGGA,1235".utf8) + sentence).type == "GGA")
        for length in 0..<sentence.count { #expect(throws: NMEASentence.Problem.self) { _ = try NMEASentence(Array(sentence[..<length])) } }
    }
}

@Suite("Text template")
struct TextTemplateTests {
    @Test(
        "a value is put into its place",
        arguments: [
            (#"SP {value}\r\n"#, Value.int(-5), "SP -5\r\n"), ("{value:8.2}|", .lreal(3.14159), "    3.14|"), ("{value:.0}", .lreal(2.5), "2"),
            ("{value:.3}", .int(7), "7.000"), ("{value:6}", .string("äb"), "    äb"), (#"\x02{value}\x03"#, .bool(true), "\u{2}1\u{3}"),
            (#"\{{value}\\"#, .uint(9), #"{9\"#), ("{value:.1}", .lreal(-0.04), "0.0"), ("{value:.2}", .real(1.005), "1.00"), ("Z", .bool(true), "Z"),
        ])
    func renders(template: String, value: Value, expected: String) throws {
        #expect(String(decoding: try TextTemplate(template).render(value), as: UTF8.self) == expected)
    }

    @Test("a template that cannot be is refused", arguments: ["{", "{x}", "{value:999}", "{value:1.99}", #"\"#, #"\q"#, #"\x4"#, #"\x+4"#, "{value:a}"])
    func refused(template: String) {
        #expect(throws: FieldBusError.self) { _ = try TextTemplate(template) }
    }
}
