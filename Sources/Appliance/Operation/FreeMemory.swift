import CAllocator
import Core

/// Gives memory back to the system that a burst of traffic took and that is free by now, and pages of the program itself that
/// only its start or a rare load used.
///
/// glibc gives back by itself only what lies at the end of its heap, here only if it is much, and one small block there that is
/// still in use keeps everything before it: a broker from which a flood has passed would stay as large as it ever was.
struct FreeMemory {
    private static let interval = Duration.seconds(10)
    /// Free and still resident bytes for which it is worth a millisecond or more, at once and after a while.
    private static let worthwhile = 16 << 20
    private static let worthwhileLater = 2 << 20
    private static let later = Duration.seconds(60)
    /// How often code that is not in use is given back; the first time a second after the start.
    private static let codeInterval = Duration.seconds(60)
    private var due: MonotonicTime
    private var codeDue: MonotonicTime
    private var lastRelease = MonotonicTime.zero

    init(now: MonotonicTime) {
        due = now + FreeMemory.interval
        codeDue = now
    }

    /// To be called about once a second.
    mutating func tick(now: MonotonicTime) {
        if now >= codeDue {
            codeDue = now + FreeMemory.codeInterval
            martlet_release_code()
        }
        guard now >= due else { return }
        due = now + FreeMemory.interval
        let free = ProcessStatus.memory().anonymousBytes - Int(martlet_allocated_bytes())
        guard free > (now - lastRelease >= FreeMemory.later ? FreeMemory.worthwhileLater : FreeMemory.worthwhile) else { return }
        lastRelease = now
        martlet_release_free_memory()
    }
}
