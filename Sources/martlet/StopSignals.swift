import Core
import Glibc

/// SIGTERM and SIGINT as a call on a thread of its own, where anything is allowed.
enum StopSignals {
    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        return set
    }

    /// Keeps the signals from ending the process; to be called before the first thread is started.
    static func block() {
        var set = set
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A peer that goes away is an error of `write`, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Calls `stop` at the first signal; the second ends the process at once.
    static func wait(_ stop: @escaping @Sendable () -> Void) {
        DetachedThread.start(name: "signals") {
            var set = set
            var number: Int32 = 0
            sigwait(&set, &number)
            stop()
            sigwait(&set, &number)
            _exit(128 + number)
        }
    }
}
