import Glibc

/// The two clocks of the machine. Only the edges of the program read them; logic takes time as an argument.
public enum SystemClock {
    /// CLOCK_BOOTTIME: never jumps, and goes on while the machine sleeps.
    public static func monotonic() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// CLOCK_REALTIME: may jump when the clock is set.
    public static func wall() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Blocks the calling thread until a moment of ``monotonic()``: for threads that own a line, and commands.
    public static func sleep(until end: MonotonicTime) {
        while true {
            let left = (end - monotonic()).wholeNanoseconds
            guard left > 0 else { return }
            var pause = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
            nanosleep(&pause, nil)
        }
    }

    /// Blocks the calling thread.
    public static func sleep(for duration: Duration) { sleep(until: monotonic() + duration) }
}
