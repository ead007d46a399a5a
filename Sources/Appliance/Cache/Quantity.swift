import Core

/// Quantities as people read them: two or three digits and a unit.
enum Quantity {
    static func bytes(_ value: Int64) -> String { bytes(Double(value)) }

    /// `3.5 GiB`
    static func bytes(_ value: Double) -> String { scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]) }

    /// As data sheets count: `30 TB`.
    static func decimalBytes(_ value: Double) -> String { scaled(value, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]) }

    static func time(_ value: Duration) -> String { seconds(Double(value.wholeMilliseconds) / 1000) }

    /// `200 ms`, `3.2 h`, `27 days`, `1.5 years`
    static func seconds(_ value: Double) -> String {
        guard value.isFinite else { return "for ever" }
        switch value {
        case ..<1: return "\(Int((value * 1000).rounded())) ms"
        case ..<120: return "\(number(value)) s"
        case ..<7200: return "\(number(value / 60)) min"
        case ..<172_800: return "\(number(value / 3600)) h"
        case ..<(730 * 86_400): return "\(number(value / 86_400)) days"
        default: return "\(number(value / 86_400 / 365)) years"
        }
    }

    /// Three digits, or all before the point.
    static func number(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
        let scale: Double = value.magnitude >= 100 ? 1 : value.magnitude >= 10 ? 10 : 100
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }

    private static func scaled(_ value: Double, _ step: Double, _ units: [String]) -> String {
        var value = value
        var unit = 0
        while value.magnitude >= step, unit < units.count - 1 {
            value /= step
            unit += 1
        }
        return "\(number(value)) \(units[unit])"
    }
}
