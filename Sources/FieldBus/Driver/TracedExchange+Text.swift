import Core
import Glibc

extension TracedExchange {
    /// For people: each frame with its local time, direction and words, and its bytes below.
    public var lines: [String] {
        var lines: [String] = []
        for frame in frames {
            let delay = frame.direction == .sent ? nil : answerTime.map { ", after \(TracedExchange.milliseconds($0)) ms" }
            lines.append(
                "\(TracedExchange.timeOfDay(frame.time)) \(frame.direction.rawValue) \(frame.bytes.count) bytes\(delay ?? ""): \(frame.text)")
            if !frame.isText { lines += TracedExchange.hexadecimal(frame.bytes) }
        }
        if let failure { lines.append("\(TracedExchange.timeOfDay(frames.last?.time ?? SystemClock.wall())) \(failure)") }
        return lines
    }

    /// With one digit behind the point.
    private static func milliseconds(_ duration: Duration) -> String {
        let tenths = (duration.wholeNanoseconds + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: 24).map { start in
            "    " + bytes[start..<min(start + 24, bytes.count)].map { padded(String($0, radix: 16, uppercase: true), 2) }.joined(separator: " ")
        }
    }

    /// 23:41:02.123
    private static func timeOfDay(_ timestamp: Timestamp) -> String {
        var seconds = time_t(timestamp.milliseconds / 1000)
        var local = tm()
        localtime_r(&seconds, &local)
        return [local.tm_hour, local.tm_min, local.tm_sec].map { padded("\($0)", 2) }.joined(separator: ":")
            + "." + padded("\(timestamp.milliseconds % 1000)", 3)
    }

    private static func padded(_ digits: String, _ width: Int) -> String {
        String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
