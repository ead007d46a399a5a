import Core
import Glibc
public import Logging
import Synchronization

/// Writes log lines as `time=… level=… component=… msg="…" key=value …`, one `write` each.
///
/// While the live summary holds the terminal the lines go into its last rows instead.
public struct LogfmtHandler: LogHandler {
    /// Where lines go.
    public final class Sink: Sendable {
        private let captured = Mutex<[String]?>(nil)
        static let maximumCaptured = 8
        /// The least important level of the handlers that have none of their own.
        private let threshold = Mutex(Logger.Level.notice)
        private let descriptor: Int32

        /// Lines go to standard error.
        public init() { descriptor = STDERR_FILENO }

        /// Lines go to an open file.
        init(descriptor: Int32) { self.descriptor = descriptor }

        /// The least important level that is written.
        public var level: Logger.Level { threshold.withLock { $0 } }

        /// Changes ``level``, also for handlers that are there already.
        public func setLevel(_ level: Logger.Level) { threshold.withLock { $0 = level } }

        /// From here on lines are kept for ``capturedLines()`` instead of being written.
        func capture() { captured.withLock { $0 = [] } }

        /// Ends ``capture()`` and writes what was kept.
        func release() {
            let lines = captured.withLock { captured in
                defer { captured = nil }
                return captured ?? []
            }
            for line in lines { emit(line) }
        }

        /// The newest lines, oldest first.
        func capturedLines() -> [String] { captured.withLock { $0 ?? [] } }

        func emit(_ line: String) {
            let isKept = captured.withLock { captured in
                guard captured != nil else { return false }
                captured?.append(line)
                if let count = captured?.count, count > Sink.maximumCaptured {
                    captured?.removeFirst(count - Sink.maximumCaptured)
                }
                return true
            }
            if isKept { return }
            var bytes = Array(line.utf8)
            bytes.append(UInt8(ascii: "\n"))
            _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level {
        get { ownLevel ?? sink.level }
        set { ownLevel = newValue }
    }
    private var ownLevel: Logger.Level?
    private let label: String
    private let sink: Sink

    /// - Parameter level: nil for that of `sink`, as it is at the time.
    public init(label: String, level: Logger.Level? = nil, sink: Sink) {
        self.label = label
        self.sink = sink
        ownLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = "time=\(ISOTime.text(SystemClock.wall())) level=\(event.level.rawValue) component=\(label)"
        line += " msg=\(LogfmtHandler.quoted("\(event.message)"))"
        var all = metadata
        if let more = event.metadata { all.merge(more) { $1 } }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(LogfmtHandler.quoted("\(value)"))" }
        sink.emit(line)
    }

    /// A value in quotes if it needs them; control characters cannot forge a line.
    static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy {
            $0.value != 0x20 && $0 != "\"" && $0 != "=" && $0 != "\\" && !$0.isControl
        }
        if isPlain { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default:
                if scalar.isControl {
                    quoted += scalar.value < 0x10 ? "\\x0" : "\\x"
                    quoted += String(scalar.value, radix: 16)
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }
}

extension Unicode.Scalar {
    /// Whether a terminal may take it for a command: C0, DEL and C1.
    var isControl: Bool { value < 0x20 || 0x7F...0x9F ~= value }
}
