import Core
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP as calls on a thread of their own, where anything is allowed.
enum StopSignals {
    /// The write end of the pipe between the signal handler and the thread.
    private static let pipeEnd = Atomic<Int32>(-1)

    /// Calls `stop` at the first SIGTERM or SIGINT; the second ends the process at once.
    ///
    /// - Parameter reload: called at SIGHUP; nil if that is to stop the process too.
    static func wait(_ stop: @escaping @Sendable () -> Void, reload: (@Sendable () -> Void)? = nil) {
        // A peer that goes away is an error of `write`, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        let readEnd = ends[0]
        pipeEnd.store(ends[1], ordering: .releasing)
        DetachedThread.start(name: "signals") {
            var isStopping = false
            while true {
                let number = Int32(next(readEnd))
                if number == SIGHUP, let reload {
                    reload()
                } else if isStopping {
                    _exit(128 + number)
                } else {
                    isStopping = true
                    stop()
                }
            }
        }
        for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, handler) }
    }

    private static func next(_ readEnd: Int32) -> UInt8 {
        var number: UInt8 = 0
        while read(readEnd, &number, 1) < 0, errno == EINTR {}
        return number
    }

    /// Does only what a signal handler may.
    private static let handler: @convention(c) (Int32) -> Void = { number in
        let interrupted = errno
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(pipeEnd.load(ordering: .acquiring), &byte, 1)
        errno = interrupted
    }
}
