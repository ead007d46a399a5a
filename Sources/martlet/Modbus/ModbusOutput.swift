import ArgumentParser
import Core
import FieldBus
import Glibc

/// What the Modbus commands print.
enum ModbusOutput {
    /// Opens a line and traces it if asked to.
    static func open(_ transport: ModbusTransport, trace: Bool) throws -> ModbusConnection {
        do throws(FieldBusError) {
            var connection = try ModbusConnection(transport)
            if trace { connection.trace { ModbusOutput.print($0) } }
            return connection
        } catch {
            Console.error("martlet: \(error)")
            throw ExitCode(1)
        }
    }

    /// The exit status of a request that failed, said in words.
    static func exit(_ failure: RequestFailure) -> ExitCode {
        Console.error("martlet: \(failure.detail)")
        return ExitCode(1)
    }

    /// The frames of an exchange: time, direction, words, and the bytes below.
    static func print(_ exchange: ModbusExchange) {
        var lines: [String] = []
        for frame in exchange.frames {
            let isSent = frame.direction == .sent
            let delay = isSent ? nil : exchange.answerTime.map { ", after \(milliseconds($0)) ms" }
            lines.append(
                "\(time(frame.time)) \(isSent ? "sent" : "received") \(frame.bytes.count) bytes\(delay ?? ""): "
                    + exchange.text(of: frame))
            lines += hexadecimal(frame.bytes)
        }
        if let failure = exchange.failure, !failure.isAnswer {
            lines.append("\(time(SystemClock.wall())) \(failure.detail)")
        }
        Console.print(lines.joined(separator: "\n"))
    }

    static func milliseconds(_ duration: Duration) -> String {
        Decimals.text(Double(duration.wholeNanoseconds) / 1e6, digits: 1)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: 24).map { start in
            "    "
                + bytes[start..<min(start + 24, bytes.count)].map {
                    let text = String($0, radix: 16, uppercase: true)
                    return text.count == 1 ? "0" + text : text
                }.joined(separator: " ")
        }
    }

    /// Local time of day: 23:41:02.123
    private static func time(_ timestamp: Timestamp) -> String {
        var seconds = time_t(timestamp.milliseconds / 1000)
        var local = tm()
        localtime_r(&seconds, &local)
        func digits(_ value: Int, _ count: Int) -> String {
            let text = "\(value)"
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(Int(local.tm_hour), 2)):\(digits(Int(local.tm_min), 2)):\(digits(Int(local.tm_sec), 2))."
            + digits(Int(timestamp.milliseconds % 1000), 3)
    }
}
