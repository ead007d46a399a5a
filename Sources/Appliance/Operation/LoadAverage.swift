import Glibc

/// How much of something there is per minute, averaged over the last 1, 5 and 15 minutes with exponentially falling weight,
/// as mosquitto and the load of a Unix system count.
struct LoadAverage {
    static let windows = ["1min", "5min", "15min"]

    private(set) var perMinute = [0.0, 0.0, 0.0]
    private var last: UInt64 = 0

    /// - Parameters:
    ///   - count: how often it has happened since the start.
    ///   - seconds: time since the last call, above 0.
    mutating func update(count: UInt64, after seconds: Double) {
        let rate = Double(count &- last) * 60 / seconds
        last = count
        for (index, window) in [60.0, 300, 900].enumerated() {
            perMinute[index] = rate + exp(-seconds / window) * (perMinute[index] - rate)
        }
    }

    /// `12.34`
    static func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
