import Core
import Glibc

/// Waiting on the thread of a command.
enum Pause {
    static func sleep(_ duration: Duration) {
        let nanoseconds = max(0, duration.wholeNanoseconds)
        var wanted = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        var left = timespec()
        while nanosleep(&wanted, &left) != 0, errno == EINTR { wanted = left }
    }
}
