import Glibc
import NIOCore
import NIOPosix

/// Where the payloads of `pub` come from. Belongs to the event loop.
final class MessageSource {
    enum Content {
        /// The same one so many times, with a pause between them.
        case repeated([UInt8], count: Int, pause: TimeAmount)
        /// Each line of the standard input.
        case lines
    }

    enum Next: Equatable {
        case message([UInt8])
        /// ``onMore`` is called when there is one.
        case later
        case end
    }

    /// The longest line: a larger payload no packet can carry.
    private static let longestLine = 256 << 20

    private let loop: any EventLoop
    private var content: Content
    /// Called when ``next()`` has something new to say after it has said ``Next/later``.
    var onMore: (() -> Void)?
    private var isWaiting = false
    /// A pause has to pass before the next one.
    private var isPausing = false
    private var lines = LineBuffer()
    private var hasEnded = false

    init(_ content: Content, on loop: any EventLoop) {
        self.content = content
        self.loop = loop
    }

    func next() -> Next {
        switch content {
        case .repeated(let bytes, let count, let pause):
            if count == 0 { return .end }
            if isPausing { return .later }
            content = .repeated(bytes, count: count - 1, pause: pause)
            if count > 1, pause > .nanoseconds(0) {
                isPausing = true
                loop.assumeIsolated().scheduleTask(in: pause) { [self] in
                    isPausing = false
                    onMore?()
                }
            }
            return .message(bytes)
        case .lines:
            if let line = lines.next() { return .message(line) }
            if hasEnded { return .end }
            readMore()
            return .later
        }
    }

    /// Reads standard input on a thread for such work: it may wait for a person.
    private func readMore() {
        guard !isWaiting else { return }
        isWaiting = true
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { () -> [UInt8] in
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(STDIN_FILENO, &chunk, chunk.count)
                if count < 0, errno == EINTR { continue }
                return Array(chunk[..<max(0, count)])
            }
        }.assumeIsolated().whenComplete { [self] result in
            isWaiting = false
            let chunk = (try? result.get()) ?? []
            if chunk.isEmpty || !lines.append(chunk, limit: MessageSource.longestLine) {
                hasEnded = true
                lines.finish()
            }
            onMore?()
        }
    }
}

/// Bytes that are taken line by line.
struct LineBuffer {
    private var bytes: [UInt8] = []
    /// What was taken.
    private var start = 0
    private var isFinished = false

    /// - Returns: false if a line gets longer than the limit; it is dropped.
    mutating func append(_ chunk: [UInt8], limit: Int) -> Bool {
        if start > 0 {
            bytes.removeFirst(start)
            start = 0
        }
        guard bytes.count + chunk.count <= limit else {
            bytes = []
            return false
        }
        bytes += chunk
        return true
    }

    /// No more comes: a last line needs no newline.
    mutating func finish() { isFinished = true }

    /// The next line without its newline; nil if there is none yet.
    mutating func next() -> [UInt8]? {
        guard start < bytes.count else { return nil }
        if let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(bytes[start..<end])
            start = end + 1
            return line
        }
        guard isFinished else { return nil }
        let line = Array(bytes[start...])
        start = bytes.count
        return line
    }
}
