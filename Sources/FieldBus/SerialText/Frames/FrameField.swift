public import Core

/// What of a frame is a point's value, as its address says it.
///
/// | address | the value is |
/// |---|---|
/// | `frame` | the whole frame as text |
/// | `/^ST,GS,(?<value>[+-] *[\d.]+)kg/` | the group `value` of the expression, or else its first group, or else the whole match; frames that it does not match are none of the point's business |
/// | `group:weight` | the group `weight` of the bus' own `pattern` |
/// | `column:3` | the third of the frame's columns, which `separator` separates |
/// | `byte:4` `byte:4:big` `byte:4:little` | what stands at byte 4, counted from 0, in the point's type; `big` (most significant byte first) if neither is given |
/// | `nmea:GGA.latitude` | see ``NMEAField`` |
public enum FrameField: Sendable, Hashable {
    case frame
    case pattern(TextPattern, group: Int)
    case column(Int)
    case bytes(position: Int, isLittleEndian: Bool)
    case nmea(NMEAField)

    /// - Parameters:
    ///   - address: as in the table.
    ///   - pattern: what `group:` refers to.
    /// - Throws: what is wrong with the address.
    public init(_ address: String, pattern: TextPattern? = nil) throws(FieldBusError) {
        let parts = address.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func invalid(_ problem: String) -> FieldBusError { .invalid(place: "address \"\(address)\"", problem: problem) }
        if address.count >= 2, address.hasPrefix("/"), address.hasSuffix("/") {
            let own = try TextPattern(String(address.dropFirst().dropLast()))
            self = .pattern(own, group: own.group("value") ?? (own.groupNames.count > 1 ? 1 : 0))
            return
        }
        switch (parts[0], parts.count) {
        case ("frame", 1):
            self = .frame
        case ("group", 2):
            guard let pattern else { throw invalid("the bus has no pattern for it to be a group of") }
            guard let group = pattern.group(parts[1]) else {
                let names = pattern.groupNames.compactMap(\.self)
                throw invalid("the bus' pattern has no such group; it has \(names.isEmpty ? "none with a name" : names.joined(separator: ", "))")
            }
            self = .pattern(pattern, group: group)
        case ("column", 2):
            guard let number = Int(parts[1]), (1...1000).contains(number) else { throw invalid("a column has a number from 1 to 1000") }
            self = .column(number)
        case ("byte", 2), ("byte", 3):
            guard let position = Int(parts[1]), (0..<65_536).contains(position) else {
                throw invalid("a byte's position is a number from 0 to 65535")
            }
            guard parts.count == 2 || ["big", "little"].contains(parts[2]) else {
                throw invalid("the order of the bytes is \"big\" or \"little\"")
            }
            self = .bytes(position: position, isLittleEndian: parts.count == 3 && parts[2] == "little")
        case ("nmea", 2):
            self = .nmea(try NMEAField(parts[1]))
        default:
            throw invalid("it is none of frame, /expression/, group:NAME, column:NUMBER, byte:POSITION and nmea:SENTENCE.FIELD")
        }
    }

    /// What a frame has of a point.
    public enum Outcome: Sendable, Hashable {
        /// The frame is not about this point.
        case absent
        case value(Value)
        /// The place is there, and what stands in it is no value of the type.
        case invalid(QualityReason)
    }

    /// Reads the field.
    ///
    /// - Parameters:
    ///   - frame: of any content.
    ///   - separator: between columns.
    public func read(_ frame: [UInt8], as type: PointType, separator: UInt8 = UInt8(ascii: ",")) -> Outcome {
        switch self {
        case .frame:
            return FieldText.value(frame[...], as: type)
        case .pattern(let pattern, let group):
            guard let match = pattern.firstMatch(in: frame), let range = match.groups[group] else { return .absent }
            return FieldText.value(frame[range], as: type)
        case .column(let number):
            let columns = frame.split(separator: separator, maxSplits: number, omittingEmptySubsequences: false)
            guard columns.indices.contains(number - 1) else { return .absent }
            return FieldText.value(columns[number - 1], as: type)
        case .bytes(let position, let isLittleEndian):
            return FieldBytes.value(frame, at: position, as: type, isLittleEndian: isLittleEndian)
        case .nmea(let field):
            return field.read(frame, as: type)
        }
    }
}

/// Values that stand in a frame as text.
enum FieldText {
    /// White space around it does not count, nor does it between a sign and its number, as many scales write it. A BOOL is `1`,
    /// `true` or `on`, or `0`, `false` or `off`, in any case of letters.
    static func value(_ bytes: ArraySlice<UInt8>, as type: PointType) -> FrameField.Outcome {
        guard let text = String(validating: bytes, as: UTF8.self) else { return .invalid(.outOfRange) }
        if type == .string { return .value(.string(String(trimmed(text)))) }
        var word = trimmed(text)
        if type == .bool {
            switch word.lowercased() {
            case "1", "true", "on": return .value(.bool(true))
            case "0", "false", "off": return .value(.bool(false))
            default: return .invalid(.outOfRange)
            }
        }
        var isNegative = false
        if word.first == "-" || word.first == "+" {
            isNegative = word.first == "-"
            word = trimmed(String(word.dropFirst()))
            guard word.first != "-", word.first != "+" else { return .invalid(.outOfRange) }
        }
        let number = isNegative ? "-" + word : String(word)
        return number.isEmpty ? .invalid(.outOfRange) : value(of: number, as: type)
    }

    private static func value(of number: String, as type: PointType) -> FrameField.Outcome {
        func int<T: FixedWidthInteger & SignedInteger>(_: T.Type) -> FrameField.Outcome {
            T(number).map { .value(.int(Int64($0))) } ?? .invalid(.outOfRange)
        }
        func uint<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) -> FrameField.Outcome {
            T(number).map { .value(.uint(UInt64($0))) } ?? .invalid(.outOfRange)
        }
        switch type {
        case .int: return int(Int16.self)
        case .dint: return int(Int32.self)
        case .lint: return int(Int64.self)
        case .uint: return uint(UInt16.self)
        case .udint: return uint(UInt32.self)
        case .ulint: return uint(UInt64.self)
        case .real: return decimal(number).flatMap { Float($0) }.map { .value(.real($0)) } ?? .invalid(.outOfRange)
        case .lreal: return decimal(number).flatMap { Double($0) }.map { .value(.lreal($0)) } ?? .invalid(.outOfRange)
        case .bool, .string: return .invalid(.outOfRange)
        }
    }

    /// Only digits, a sign, a point and an exponent: not the `nan`, `inf` and `0x` that the language would take.
    private static func decimal(_ number: String) -> String? {
        guard number.utf8.allSatisfy({ ByteSet.decimal.contains($0) }), let value = Double(number), value.isFinite else { return nil }
        return number
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let isSpace = { (character: Character) in character.isASCII && character.isWhitespace || character == "\0" }
        var rest = Substring(text).drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest)
    }
}

extension ByteSet {
    fileprivate static let decimal = ByteSet("0123456789+-.eE")
}

/// Values that stand in a frame as bytes.
enum FieldBytes {
    static func value(_ frame: [UInt8], at position: Int, as type: PointType, isLittleEndian: Bool) -> FrameField.Outcome {
        if type == .string {
            guard position < frame.count else { return .absent }
            return FieldText.value(frame[position...], as: .string)
        }
        let width =
            switch type {
            case .bool: 1
            case .int, .uint: 2
            case .dint, .udint, .real: 4
            default: 8
            }
        guard position >= 0, position + width <= frame.count else { return .absent }
        let bytes = frame[position..<position + width]
        let bits = (isLittleEndian ? Array(bytes.reversed()) : Array(bytes)).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch type {
        case .bool: return .value(.bool(bits != 0))
        case .int: return .value(.int(Int64(Int16(truncatingIfNeeded: bits))))
        case .dint: return .value(.int(Int64(Int32(truncatingIfNeeded: bits))))
        case .lint: return .value(.int(Int64(bitPattern: bits)))
        case .uint, .udint, .ulint: return .value(.uint(bits))
        case .real:
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            return value.isFinite ? .value(.real(value)) : .invalid(.outOfRange)
        case .lreal:
            let value = Double(bitPattern: bits)
            return value.isFinite ? .value(.lreal(value)) : .invalid(.outOfRange)
        case .string: return .absent
        }
    }
}
