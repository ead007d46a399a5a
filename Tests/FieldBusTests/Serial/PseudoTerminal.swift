import Core
import Glibc

/// A pseudo terminal: the program under test opens ``path``, and the test is the device at the far end.
final class PseudoTerminal: Sendable {
    /// The far end.
    let descriptor: Int32
    /// The device file for the program under test.
    let path: String

    init() {
        descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var locked: Int32 = 0
        var number: Int32 = 0
        // TIOCSPTLCK and TIOCGPTN, which are macros that Swift does not see: unlockpt() and ptsname().
        precondition(ioctl(descriptor, 0x4004_5431, &locked) == 0 && ioctl(descriptor, 0x8004_5430, &number) == 0)
        path = "/dev/pts/\(number)"
    }

    /// Pulls the adapter out: to be called once, at the end.
    func unplug() { close(descriptor) }

    func send(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        precondition(write(descriptor, bytes, bytes.count) == bytes.count)
    }

    /// What the program under test has sent: `count` bytes, or fewer after ten seconds.
    func receive(_ count: Int) -> [UInt8] {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256)
        while received.count < count {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 10_000) > 0 else { break }
            let size = read(descriptor, &buffer, min(buffer.count, count - received.count))
            guard size > 0 else { break }
            received += buffer[..<size]
        }
        return received
    }
}
