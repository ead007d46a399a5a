public import ArgumentParser
public import Core
public import FieldBus

// The words of the field as arguments.

extension SerialLine.Parity: ExpressibleByArgument {}
extension ModbusArea: ExpressibleByArgument {}
extension WordOrder: ExpressibleByArgument {}
extension PointType: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}

/// "500ms", "1s", "5m", "2h".
struct DurationArgument: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 1_000_000_000 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(number)
        case "s": duration = .seconds(number)
        case "m": duration = .seconds(60 * number)
        case "h": duration = .seconds(3600 * number)
        default: return nil
        }
    }

    var description: String {
        let milliseconds = duration.wholeMilliseconds
        return milliseconds.isMultiple(of: 1000) ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }

    var defaultValueDescription: String { description }
}
