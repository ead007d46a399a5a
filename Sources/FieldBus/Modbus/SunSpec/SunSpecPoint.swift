import Configuration
import Core

/// One point of a ``SunSpecModel``.
struct SunSpecPoint: Sendable {
    let name: String
    let type: SunSpecType
    /// The name of the point with its scale factor: value = raw × 10^factor.
    let scaleFactor: String?
    let unit: String?

    /// - Parameter lines: see the models.
    static func list(_ lines: String) -> [SunSpecPoint] {
        lines.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 2, let type = SunSpecType(words[1]) else { return nil }
            func word(_ index: Int) -> String? { index < words.count && words[index] != "-" ? words[index] : nil }
            return SunSpecPoint(name: words[0], type: type, scaleFactor: word(2), unit: word(3))
        }
    }

    /// What the numbers of a state mean.
    var enumeration: [EnumerationLabel] {
        let labels: [String]
        switch name {
        case "St", "DCSt": labels = ["off", "sleeping", "starting", "MPPT", "throttled", "shutting down", "fault", "standby"]
        case "ChaSt": labels = ["off", "empty", "discharging", "charging", "full", "holding", "testing"]
        default: return []
        }
        return labels.enumerated().map { EnumerationLabel(number: Int64($0.offset + 1), text: $0.element) }
    }
}

/// How a point lies in its registers, and what they hold where the device does not have it (SunSpec Device Information
/// Model Specification, "Value types").
enum SunSpecType: Sendable, Equatable {
    case uint16, int16, uint32, acc32, acc64, float32, enum16, bits16, bits32, scaleFactor, pad
    /// Of so many registers.
    case string(Int)

    init?(_ word: String) {
        switch word {
        case "uint16": self = .uint16
        case "int16": self = .int16
        case "uint32": self = .uint32
        case "acc32": self = .acc32
        case "acc64": self = .acc64
        case "float32": self = .float32
        case "enum16": self = .enum16
        case "bits16": self = .bits16
        case "bits32": self = .bits32
        case "sf": self = .scaleFactor
        case "pad": self = .pad
        default:
            guard word.hasPrefix("str"), let registers = Int(word.dropFirst(3)), 1...125 ~= registers else { return nil }
            self = .string(registers)
        }
    }

    var registers: Int {
        switch self {
        case .uint16, .int16, .enum16, .bits16, .scaleFactor, .pad: 1
        case .uint32, .acc32, .float32, .bits32: 2
        case .acc64: 4
        case .string(let registers): registers
        }
    }

    /// nil for what is no value of its own.
    var pointType: PointType? {
        switch self {
        case .uint16, .enum16, .bits16: .uint
        case .int16: .int
        case .uint32, .acc32, .bits32: .udint
        case .acc64: .ulint
        case .float32: .real
        case .string: .string
        case .scaleFactor, .pad: nil
        }
    }

    /// Whether the device has a value there.
    func isImplemented(_ registers: ArraySlice<UInt16>) -> Bool {
        let first = registers.first ?? 0
        switch self {
        case .uint16, .enum16, .bits16: return first != 0xFFFF
        case .int16, .scaleFactor: return first != 0x8000
        case .uint32, .bits32: return registers.contains { $0 != 0xFFFF }
        // A counter that is not there is 0; so is one that has not counted yet.
        case .acc32, .acc64, .string: return registers.contains { $0 != 0 }
        case .float32: return !(first & 0x7F80 == 0x7F80)
        case .pad: return false
        }
    }
}
