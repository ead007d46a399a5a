import Core
import Glibc

/// Chooses what `sub` writes of what it receives, and how.
struct MessagePrinter {
    var format: MessageFormat?
    /// The topic in front of the payload.
    var isVerbose = false
    /// A newline behind each message.
    var endsLine = true
    /// Retained messages are not written.
    var skipsRetained = false
    /// Of these topics nothing is written.
    var filteredOut: [TopicFilter] = []
    /// Messages to write; nil for any number.
    var remaining: Int?
    /// What is to be written.
    private(set) var output: [UInt8] = []

    /// Whether all messages that were asked for have come.
    var isDone: Bool { remaining == 0 }

    /// - Returns: whether the message was one to write.
    mutating func add(_ message: ReceivedMessage) -> Bool {
        guard !isDone else { return false }
        if skipsRetained, message.retain { return false }
        if !filteredOut.isEmpty, filteredOut.contains(where: { $0.matches(message.topicText) }) { return false }
        if let format {
            format.write(message, to: &output)
            if endsLine { output.append(UInt8(ascii: "\n")) }
        } else {
            write(message)
        }
        if let count = remaining { remaining = count - 1 }
        return true
    }

    /// As mosquitto_sub: an empty payload is said only together with its topic.
    private mutating func write(_ message: ReceivedMessage) {
        if isVerbose {
            output += message.topic
            output.append(UInt8(ascii: " "))
            output += message.payload.isEmpty ? Array("(null)".utf8) : Array(message.payload)
        } else {
            guard !message.payload.isEmpty else { return }
            output += message.payload
        }
        if endsLine { output.append(UInt8(ascii: "\n")) }
    }

    /// Writes what waits to the standard output.
    ///
    /// - Returns: false if nobody reads it any more.
    mutating func flush() -> Bool {
        var at = 0
        while at < output.count {
            let count = output[at...].withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var waiting = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, -1)
                continue
            }
            if count <= 0 { return false }
            at += count
        }
        output.removeAll(keepingCapacity: true)
        return true
    }
}
