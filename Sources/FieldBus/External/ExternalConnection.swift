import Core
import Glibc
import Synchronization

/// A connection to a program: its lines in and out, and the process itself if there is one.
///
/// A thread of its own reads the lines, so that samples go straight to where they are published and answers to who waits for
/// them; ``send(_:timeout:)`` is for one thread at a time.
final class ExternalConnection: Sendable {
    private struct State {
        var pending: [Int64: CheckedContinuation<ExternalMessage?, Never>] = [:]
        var lastIdentifier: Int64 = 0
        /// What was asked and not yet waited for.
        var asked: Set<Int64> = [describing, configuring]
        /// Answers that came before somebody waited for them.
        var early: [Int64: ExternalMessage] = [:]
        var ended: String?
    }

    /// Stand for the answers that have no id.
    static let describing: Int64 = -1
    static let configuring: Int64 = -2

    private let state = Mutex(State())
    private let socket: Int32
    private let process: pid_t?
    private let tracer: Tracer

    /// What comes by itself.
    private let received: @Sendable (ExternalMessage) -> Void

    /// - Throws: ``FieldBusError/unavailable(what:detail:)`` when the program cannot be started.
    init(
        _ peer: ExternalBus.Peer, decoder: ExternalDecoder, name: String, tracer: Tracer,
        received: @escaping @Sendable (ExternalMessage) -> Void
    ) throws(FieldBusError) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw .unavailable(what: "socket pair", detail: String(cString: strerror(errno)))
        }
        switch peer {
        case .inProcess(let connect):
            process = nil
            connect(ends[1])
        case .command(let arguments, let workingDirectory):
            let result = ExternalProcess.start(arguments, workingDirectory: workingDirectory, standardStreams: ends[1])
            close(ends[1])
            switch result {
            case .success(let process): self.process = process
            case .failure(let error):
                close(ends[0])
                throw error
            }
        }
        socket = ends[0]
        self.received = received
        self.tracer = tracer
        DetachedThread.start(name: name) { self.read(decoder) }
    }

    deinit { close(socket) }

    /// Why the connection has ended; nil while it has not.
    var ended: String? { state.withLock { $0.ended } }

    // MARK: Out

    /// Sends a whole line, on the bus' own thread: waits until the program takes it, at most `timeout`.
    func send(_ line: [UInt8], timeout: Duration) -> Bool {
        tracer.note(line: line, .sent)
        let deadline = SystemClock.monotonic() + timeout
        return line.withUnsafeBytes { line in
            var sent = 0
            // Half a line would be glued to the next one.
            defer { if sent > 0, sent < line.count { shutdown(socket, Int32(SHUT_RDWR)) } }
            while sent < line.count {
                let count = Glibc.send(
                    socket, line.baseAddress! + sent, line.count - sent, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                if count > 0 {
                    sent += count
                    continue
                }
                guard errno == EAGAIN || errno == EINTR else { return false }
                let left = (deadline - SystemClock.monotonic()).wholeMilliseconds
                guard left > 0 else { return false }
                var entry = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, Int32(clamping: left))
            }
            return true
        }
    }

    /// The id of the next request; somebody has to wait for its answer.
    func nextIdentifier() -> Int64 {
        state.withLock {
            $0.lastIdentifier += 1
            $0.asked.insert($0.lastIdentifier)
            return $0.lastIdentifier
        }
    }

    /// Nobody will wait for the answer with this id: it was not asked for in the end.
    func forget(_ identifier: Int64) { state.withLock { _ = $0.asked.remove(identifier) } }

    /// The answer with this id; nil when none comes in time, or the program ends.
    func answer(to identifier: Int64, timeout: Duration) async -> ExternalMessage? {
        await withTaskGroup(of: ExternalMessage?.self) { tasks in
            tasks.addTask { await withCheckedContinuation { self.expect(identifier, $0) } }
            tasks.addTask {
                try? await Task.sleep(for: timeout)
                self.resolve(identifier, nil)
                return nil
            }
            let first = await tasks.next() ?? nil
            tasks.cancelAll()
            // Both have ended when the group ends: the other one gives nil.
            for await other in tasks { if let other { return other } }
            return first
        }
    }

    private func expect(_ identifier: Int64, _ continuation: CheckedContinuation<ExternalMessage?, Never>) {
        let now: ExternalMessage?? = state.withLock { state in
            // The time for it may be over before somebody waits.
            guard state.asked.remove(identifier) != nil else { return .some(nil) }
            if let early = state.early.removeValue(forKey: identifier) { return .some(early) }
            if state.ended != nil { return .some(nil) }
            state.pending[identifier] = continuation
            return .none
        }
        if let now { continuation.resume(returning: now) }
    }

    private func resolve(_ identifier: Int64, _ message: ExternalMessage?) {
        let waiting = state.withLock { state in
            let waiting = state.pending.removeValue(forKey: identifier)
            if waiting == nil, state.asked.contains(identifier) {
                if let message { state.early[identifier] = message } else { state.asked.remove(identifier) }
            }
            return waiting
        }
        waiting?.resume(returning: message)
    }

    // MARK: In

    private func read(_ decoder: ExternalDecoder) {
        var lines = LineBuffer()
        var problem: String?
        var chunk = [UInt8](repeating: 0, count: 65_536)
        reading: while problem == nil {
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            guard lines.append(chunk[..<count]) else {
                problem = "a line of more than \(ExternalMessage.maxLine) bytes"
                break
            }
            while let line = lines.next() {
                tracer.note(line: line, .received)
                switch line.withUnsafeBytes({ decoder.result(of: $0, wall: SystemClock.wall()) }) {
                case .success(let message): take(message)
                case .failure(let mistake):
                    problem = mistake.message
                    break reading
                }
            }
        }
        let ending = process.map { ExternalProcess.end($0, politely: problem == nil) } ?? "the connection was closed"
        end(problem.map { "it was ended because of \($0)" } ?? ending)
    }

    private func take(_ message: ExternalMessage) {
        switch message {
        case .describe: resolve(ExternalConnection.describing, message)
        case .configured: resolve(ExternalConnection.configuring, message)
        case .values(let id, _), .failed(let id, _, _), .written(let id, _): resolve(id, message)
        case .samples, .log: received(message)
        }
    }

    private func end(_ reason: String) {
        shutdown(socket, Int32(SHUT_RDWR))
        let pending = state.withLock { state in
            state.ended = reason
            defer { state.pending = [:] }
            return Array(state.pending.values)
        }
        for continuation in pending { continuation.resume(returning: nil) }
    }

    // MARK: End

    /// Ends the connection if the process is there no more: one that it has started may still hold its output open.
    func checkProcess() {
        guard let process, ended == nil else { return }
        var information = siginfo_t()
        guard waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT) == 0, information.si_signo != 0 else { return }
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Asks the program to end, and ends it when it does not within two seconds; on the bus' own thread, which waits for it.
    func stop() {
        _ = send(ExternalLine.stop, timeout: .milliseconds(100))
        shutdown(socket, Int32(SHUT_WR))
        for _ in 0..<40 where ended == nil { SystemClock.sleep(for: .milliseconds(50)) }
        kill()
        while ended == nil { SystemClock.sleep(for: .milliseconds(50)) }
    }

    private func kill() {
        guard ended == nil else { return }
        if let process { _ = Glibc.kill(-process, SIGKILL) }
        shutdown(socket, Int32(SHUT_RDWR))
    }
}

/// Bytes that come in pieces, as lines.
struct LineBuffer {
    private var bytes: [UInt8] = []
    private var start = 0
    private var searched = 0

    /// - Returns: false when a line is longer than ``ExternalMessage/maxLine``.
    mutating func append(_ piece: ArraySlice<UInt8>) -> Bool {
        if start > 0 {
            bytes.removeFirst(start)
            searched -= start
            start = 0
        }
        bytes.append(contentsOf: piece)
        return bytes.count <= ExternalMessage.maxLine + 65_536
    }

    /// The next whole line without its end; empty ones are left out.
    mutating func next() -> [UInt8]? {
        while let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = bytes[start..<end]
            start = end + 1
            searched = start
            let trimmed = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if !trimmed.isEmpty { return Array(trimmed) }
        }
        searched = bytes.count
        return nil
    }
}
