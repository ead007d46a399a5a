import Core

/// One value of a sentence of NMEA 0183: `GGA.latitude`, `RMC.time`, or by number, `VTG.5`. With a talker before the type,
/// `GPGGA.latitude`, only that talker's sentences count.
///
/// Named fields, beside the numbers:
///
/// | sentence | fields |
/// |---|---|
/// | GGA | time, latitude, longitude, fix, satellites, hdop, altitude, separation |
/// | RMC | time, date-time, status, latitude, longitude, speed, course |
/// | GLL | latitude, longitude, time, status |
/// | VTG | course, speed, speed-kmh |
/// | ZDA | time, date-time |
/// | GSA | fix, pdop, hdop, vdop |
/// | HDT | heading |
/// | DBT | depth |
/// | MWV | angle, speed |
///
/// A latitude or longitude is in degrees, north and east positive. A speed is in the sentence's unit, knots in RMC and VTG. A
/// time is UTC as text, `12:35:19` or `12:35:19.250`, a date-time is `2026-11-27T12:35:19Z`. A status is true for valid data.
public struct NMEAField: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case text(Int)
        /// Degrees and minutes, with the hemisphere in the next field; so many digits are degrees.
        case angle(Int, degreeDigits: Int)
        case time(Int)
        /// Day, month and year in one field.
        case dateTime(time: Int, date: Int)
        /// Day, month and year in three fields.
        case splitDateTime(time: Int, day: Int)
        case status(Int)
    }

    let talker: String?
    let type: String
    let kind: Kind

    /// - Throws: what is wrong with the address.
    public init(_ address: String) throws(FieldBusError) {
        let parts = address.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        func invalid(_ problem: String) -> FieldBusError { .invalid(place: "NMEA field \"\(address)\"", problem: problem) }
        guard parts.count == 2, parts[0].utf8.count >= 2 else { throw invalid("write SENTENCE.FIELD, for example GGA.latitude") }
        if parts[0].hasPrefix("P") {
            talker = "P"
            type = String(parts[0].dropFirst())
        } else {
            talker = parts[0].utf8.count == 5 ? String(parts[0].prefix(2)) : nil
            type = talker == nil ? parts[0] : String(parts[0].dropFirst(2))
        }
        if let number = Int(parts[1]) {
            guard (1...200).contains(number) else { throw invalid("fields are numbered from 1 to 200") }
            kind = .text(number)
            return
        }
        guard let named = Self.named[type] else {
            throw invalid("the fields of \(type) have no names here; write their number, for example \(type).1")
        }
        guard let kind = named.first(where: { $0.0 == parts[1] })?.1 else {
            throw invalid("\(type) has \(named.map(\.0).joined(separator: ", ")), or write the field's number")
        }
        self.kind = kind
    }

    private static let named: [String: [(String, Kind)]] = [
        "GGA": [
            ("time", .time(1)), ("latitude", .angle(2, degreeDigits: 2)), ("longitude", .angle(4, degreeDigits: 3)), ("fix", .text(6)),
            ("satellites", .text(7)), ("hdop", .text(8)), ("altitude", .text(9)), ("separation", .text(11)),
        ],
        "RMC": [
            ("time", .time(1)), ("date-time", .dateTime(time: 1, date: 9)), ("status", .status(2)),
            ("latitude", .angle(3, degreeDigits: 2)), ("longitude", .angle(5, degreeDigits: 3)), ("speed", .text(7)), ("course", .text(8)),
        ],
        "GLL": [
            ("latitude", .angle(1, degreeDigits: 2)), ("longitude", .angle(3, degreeDigits: 3)), ("time", .time(5)), ("status", .status(6)),
        ],
        "VTG": [("course", .text(1)), ("speed", .text(5)), ("speed-kmh", .text(7))],
        "ZDA": [("time", .time(1)), ("date-time", .splitDateTime(time: 1, day: 2))],
        "GSA": [("fix", .text(2)), ("pdop", .text(15)), ("hdop", .text(16)), ("vdop", .text(17))],
        "HDT": [("heading", .text(1))], "DBT": [("depth", .text(3))], "MWV": [("angle", .text(1)), ("speed", .text(3))],
    ]

    /// Reads the field. A sentence without it, before the receiver knows where it is, makes the value `bad(not-yet-read)`.
    func read(_ frame: [UInt8], as type: PointType) -> FrameField.Outcome {
        let sentence: NMEASentence
        do throws(NMEASentence.Problem) {
            sentence = try NMEASentence(frame)
        } catch {
            // Which sentence it was to be cannot be believed either, so no point of another one turns bad.
            return .absent
        }
        guard sentence.type == self.type, talker == nil || talker == sentence.talker else { return .absent }
        switch kind {
        case .text(let number):
            guard let field = sentence.field(number) else { return .invalid(.notYetRead) }
            return FieldText.value(field[...], as: type)
        case .angle(let number, let digits):
            guard let field = sentence.field(number), let hemisphere = sentence.field(number + 1) else { return .invalid(.notYetRead) }
            guard let degrees = Self.degrees(field, digits, hemisphere) else { return .invalid(.outOfRange) }
            return type == .real ? .value(.real(Float(degrees))) : type == .lreal ? .value(.lreal(degrees)) : .invalid(.outOfRange)
        case .status(let number):
            guard let field = sentence.field(number) else { return .invalid(.notYetRead) }
            return type == .bool ? .value(.bool(field == [UInt8(ascii: "A")])) : FieldText.value(field[...], as: type)
        case .time(let number):
            guard let field = sentence.field(number) else { return .invalid(.notYetRead) }
            return Self.time(field).map { Self.text($0, as: type) } ?? .invalid(.outOfRange)
        case .dateTime(let time, let date):
            guard let timeField = sentence.field(time), let dateField = sentence.field(date) else { return .invalid(.notYetRead) }
            guard let time = Self.time(timeField), let (day, month, year) = Self.date(dateField) else { return .invalid(.outOfRange) }
            return Self.text(Self.dateText(year, month, day) + "T\(time)Z", as: type)
        case .splitDateTime(let time, let first):
            guard let timeField = sentence.field(time), let day = sentence.field(first), let month = sentence.field(first + 1),
                let year = sentence.field(first + 2)
            else { return .invalid(.notYetRead) }
            guard let time = Self.time(timeField), let day = Self.number(day[...]), let month = Self.number(month[...]),
                let year = Self.number(year[...]), (1...31).contains(day), (1...12).contains(month), (1900...9999).contains(year)
            else { return .invalid(.outOfRange) }
            return Self.text(Self.dateText(year, month, day) + "T\(time)Z", as: type)
        }
    }

    private static func text(_ text: String, as type: PointType) -> FrameField.Outcome {
        type == .string ? .value(.string(text)) : .invalid(.outOfRange)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...9).contains(digits.count), digits.allSatisfy({ ByteSet.digits.contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    /// `4807.038` and `N` are 48 degrees and 7.038 minutes.
    private static func degrees(_ field: [UInt8], _ degreeDigits: Int, _ hemisphere: [UInt8]) -> Double? {
        guard field.count > degreeDigits, field.count <= 20, let degrees = number(field[..<degreeDigits]) else { return nil }
        let rest = field[degreeDigits...]
        guard rest.allSatisfy({ ByteSet.digits.contains($0) || $0 == UInt8(ascii: ".") }),
            let minutes = Double(String(decoding: rest, as: UTF8.self)), minutes < 60
        else { return nil }
        let value = Double(degrees) + minutes / 60
        guard value <= (degreeDigits == 2 ? 90 : 180) else { return nil }
        switch (hemisphere, degreeDigits) {
        case ([UInt8(ascii: "N")], 2), ([UInt8(ascii: "E")], 3): return value
        case ([UInt8(ascii: "S")], 2), ([UInt8(ascii: "W")], 3): return -value
        default: return nil
        }
    }

    /// `123519.25` is 12:35:19.250.
    private static func time(_ field: [UInt8]) -> String? {
        guard field.count >= 6, let hour = number(field[..<2]), let minute = number(field[2..<4]), let second = number(field[4..<6]),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var text = "\(padded(hour)):\(padded(minute)):\(padded(second))"
        let fraction = field[6...]
        guard let point = fraction.first else { return text }
        let digits = fraction.dropFirst()
        guard point == UInt8(ascii: "."), digits.allSatisfy({ ByteSet.digits.contains($0) }) else { return nil }
        if digits.contains(where: { $0 != 48 }) {
            let milliseconds = Array((digits + [48, 48, 48]).prefix(3))
            text += "." + String(decoding: milliseconds, as: UTF8.self)
        }
        return text
    }

    /// `270126` is 27 January 2026; years from 80 on are of the last century, in which the first receivers were made.
    private static func date(_ field: [UInt8]) -> (day: Int, month: Int, year: Int)? {
        guard field.count == 6, let day = number(field[..<2]), let month = number(field[2..<4]), let year = number(field[4..<6]),
            (1...31).contains(day), (1...12).contains(month)
        else { return nil }
        return (day, month, year < 80 ? 2000 + year : 1900 + year)
    }

    private static func dateText(_ year: Int, _ month: Int, _ day: Int) -> String { "\(year)-\(padded(month))-\(padded(day))" }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
