import Core
import Glibc

/// Times as people and programs read them.
enum ISOTime {
    /// `2026-01-31T12:00:00.123Z`
    static func text(_ time: Timestamp) -> String {
        let milliseconds = (time.milliseconds % 1000 + 1000) % 1000
        var seconds = time_t((time.milliseconds - milliseconds) / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return "\(pad(Int(parts.tm_year) + 1900, 4))-\(pad(Int(parts.tm_mon) + 1, 2))-\(pad(Int(parts.tm_mday), 2))"
            + "T\(pad(Int(parts.tm_hour), 2)):\(pad(Int(parts.tm_min), 2)):\(pad(Int(parts.tm_sec), 2))"
            + ".\(pad(Int(milliseconds), 3))Z"
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
