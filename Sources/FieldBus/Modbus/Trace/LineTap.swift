import Core
import Glibc
import Synchronization

/// Passes every byte between libmodbus and the line on, and remembers it with its time. libmodbus shows nothing of a frame
/// that it does not like, and these are what a trace is for.
///
///     libmodbus ── near │ far ── thread ── line
final class LineTap: Sendable {
    /// Bytes of one exchange that are kept; what goes beyond passes untold.
    static let maxBytes = 4096

    /// The end that libmodbus is given; the caller makes a copy before ``start()``, which closes this one.
    let near: Int32
    /// A descriptor of the line, closed by the thread when the tap has ended.
    let line: Int32
    private let far: Int32
    private let wakeUp: (read: Int32, write: Int32)
    private let hasEnded = Atomic(false)
    private let frames = Mutex<[TracedFrame]>([])

    /// - Parameter line: is duplicated. nil when the process has no descriptors left.
    init?(line: Int32) {
        var pair: [Int32] = [-1, -1]
        var ends: [Int32] = [-1, -1]
        let copy = fcntl(line, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return nil }
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            Glibc.close(copy)
            return nil
        }
        guard pipe(&ends) == 0 else {
            for descriptor in [copy, pair[0], pair[1]] { Glibc.close(descriptor) }
            return nil
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.line = copy
        near = pair[0]
        far = pair[1]
        wakeUp = (ends[0], ends[1])
    }

    func start() {
        Glibc.close(near)
        DetachedThread.start(name: "modbus-trace") { [self] in
            run()
            for descriptor in [far, line, wakeUp.read] { Glibc.close(descriptor) }
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// Ends the thread; nothing passes any more. Waits until it has closed the line, which somebody else may want: 100 ms at most.
    func end() {
        Glibc.close(wakeUp.write)
        let end = SystemClock.monotonic() + .milliseconds(100)
        while !hasEnded.load(ordering: .acquiring), SystemClock.monotonic() < end { SystemClock.sleep(for: .microseconds(100)) }
    }

    /// What has passed since the last call.
    func takeFrames() -> [TracedFrame] {
        frames.withLock { frames in
            defer { frames = [] }
            return frames
        }
    }

    /// Waits until what was sent has reached the thread, which only matters where no answer shows it; 100 ms at most.
    func awaitSent() {
        let end = SystemClock.monotonic() + .milliseconds(100)
        while frames.withLock({ !$0.contains { $0.direction == .sent } }), SystemClock.monotonic() < end {
            SystemClock.sleep(for: .microseconds(200))
        }
    }

    private func run() {
        while true {
            var entries = [far, line, wakeUp.read].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if poll(&entries, 3, -1) < 0 {
                if errno == EINTR { continue }
                break
            }
            if entries[2].revents != 0 { return }
            if entries[0].revents != 0, !pass(from: far, to: line, .sent) { break }
            if entries[1].revents != 0, !pass(from: line, to: far, .received) { break }
        }
        // Whoever waits at the near end learns that the line has gone.
        shutdown(far, Int32(SHUT_RDWR))
    }

    private func pass(from source: Int32, to target: Int32, _ direction: TracedFrame.Direction) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let count = read(source, buffer.baseAddress, buffer.count)
            if count < 0 { return errno == EINTR || errno == EAGAIN }
            guard count > 0 else { return false }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            // An answer is known before libmodbus has it, and what was sent once it is on the line.
            if direction == .received { note(bytes, direction) }
            defer { if direction == .sent { note(bytes, direction) } }
            var sent = 0
            while sent < count {
                let result = write(target, buffer.baseAddress! + sent, count - sent)
                if result < 0, errno == EINTR || errno == EAGAIN {
                    var entry = pollfd(fd: target, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&entry, 1, 1000)
                    continue
                }
                guard result > 0 else { return false }
                sent += result
            }
            return true
        }
    }

    private func note(_ bytes: UnsafeRawBufferPointer, _ direction: TracedFrame.Direction) {
        let now = SystemClock.monotonic()
        let wall = SystemClock.wall()
        frames.withLock { frames in
            guard frames.reduce(0, { $0 + $1.bytes.count }) + bytes.count <= LineTap.maxBytes else { return }
            if let last = frames.indices.last, frames[last].direction == direction {
                frames[last].bytes.append(contentsOf: bytes)
                frames[last].ended = now
            } else {
                frames.append(TracedFrame(direction: direction, bytes: Array(bytes), time: wall, began: now, ended: now))
            }
        }
    }
}
