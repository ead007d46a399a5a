import Core
import Glibc
import Synchronization

/// A Modbus RTU device at the far end of a pseudo terminal.
final class FakeSerialDevice: Sendable {
    struct Log {
        var requests: [[UInt8]] = []
        /// From the end of an answer to the first byte of the next request.
        var gaps: [Duration] = []
    }

    /// The device file for the driver.
    let path: String
    private let terminal: Int32
    /// Keeps the near end open, so that the far end does not hang up between two openings.
    private let keeper: Int32
    private let log = Mutex(Log())
    private let act: @Sendable ([UInt8], Int) -> [UInt8]?

    var requests: [[UInt8]] { log.withLock { $0.requests } }
    var gaps: [Duration] { log.withLock { $0.gaps } }

    /// - Parameter act: the answer, without check sum, to a request without check sum, and how many came before; nil for none.
    init(_ act: @escaping @Sendable ([UInt8], Int) -> [UInt8]?) {
        self.act = act
        terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var locked: Int32 = 0
        var number: Int32 = 0
        // TIOCSPTLCK and TIOCGPTN, which are macros that Swift does not see: unlockpt() and ptsname().
        precondition(ioctl(terminal, 0x4004_5431, &locked) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
        path = "/dev/pts/\(number)"
        keeper = open(path, O_RDWR | O_NOCTTY)
        var settings = termios()
        tcgetattr(keeper, &settings)
        settings.c_lflag = 0
        settings.c_iflag = 0
        settings.c_oflag = 0
        tcsetattr(keeper, TCSANOW, &settings)
        DetachedThread.start(name: "fake-serial") { [terminal, self] in
            run()
            close(terminal)
        }
    }

    /// Hangs up.
    func stop() { close(keeper) }

    private func run() {
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256)
        var answered: MonotonicTime?
        while true {
            let count = read(terminal, &chunk, chunk.count)
            if count <= 0 { return }
            if buffer.isEmpty, let end = answered {
                log.withLock { $0.gaps.append(SystemClock.monotonic() - end) }
                answered = nil
            }
            buffer += chunk[..<count]
            // Functions 1…6 only: eight bytes each.
            while buffer.count >= 8 {
                let request = Array(buffer[..<6])
                buffer.removeFirst(8)
                let number = log.withLock { log in
                    log.requests.append(request)
                    return log.requests.count - 1
                }
                guard let answer = act(request, number) else { continue }
                let frame = FakeSerialDevice.withCheckSum(answer)
                // Before the write, so that the measured gap is never shorter than the real one.
                answered = SystemClock.monotonic()
                _ = write(terminal, frame, frame.count)
            }
        }
    }

    /// CRC-16 of Modbus over Serial Line 1.02 §6.2.2, low byte first.
    static func withCheckSum(_ frame: [UInt8]) -> [UInt8] {
        var sum: UInt16 = 0xFFFF
        for byte in frame {
            sum ^= UInt16(byte)
            for _ in 0..<8 { sum = sum & 1 != 0 ? sum >> 1 ^ 0xA001 : sum >> 1 }
        }
        return frame + [UInt8(sum & 0xFF), UInt8(sum >> 8)]
    }

    /// The answer of a device whose registers hold their own addresses.
    static func registers(_ request: [UInt8]) -> [UInt8] {
        let address = Int(request[2]) << 8 | Int(request[3])
        let quantity = Int(request[4]) << 8 | Int(request[5])
        return [request[0], request[1], UInt8(2 * quantity)]
            + (0..<quantity).flatMap { [UInt8((address + $0) >> 8), UInt8((address + $0) & 0xFF)] }
    }
}
