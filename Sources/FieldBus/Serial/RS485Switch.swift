internal import CBoard
import Core

/// Turns the transceiver of an RS-485 line around by a GPIO line: active from before the first bit until the last has left.
/// For one thread at a time.
final class RS485Switch {
    /// What a port may hold back what was written, beyond the time that it takes.
    static let patience = Duration.seconds(1)

    private let line: any GPIOLine
    private let delayBeforeSend: Duration
    private let delayAfterSend: Duration
    private let timing: SerialTiming
    /// Between two looks at a port that still sends: half a character, so that the answer, which comes after 3.5 of them at
    /// the earliest, finds the transceiver receiving.
    private let step: Duration

    init(_ line: any GPIOLine, delayBeforeSend: Duration, delayAfterSend: Duration, timing: SerialTiming) {
        self.line = line
        self.delayBeforeSend = delayBeforeSend
        self.delayAfterSend = delayAfterSend
        self.timing = timing
        step = min(max(timing.duration(ofCharacters: 1) / 2, .microseconds(50)), .milliseconds(1))
    }

    /// To be called before anything is written.
    func begin() throws(FieldBusError) {
        try line.set(true)
        if delayBeforeSend > .zero { SystemClock.sleep(for: delayBeforeSend) }
    }

    /// To be called when all is written: waits until it has left the port.
    ///
    /// - Parameters:
    ///   - bytes: how many were written just now; 0 when their time has passed already.
    ///   - descriptor: the port.
    func end(bytes: Int, descriptor: Int32) throws(FieldBusError) {
        try end(bytes: bytes) {
            switch martlet_serial_is_sent(descriptor) {
            case 0: return false
            case 1...: return true
            default:
                // What the driver of an adapter knows is how much of it lies in the machine.
                _ = martlet_serial_drain(descriptor)
                return true
            }
        }
    }

    func end(bytes: Int, isSent: () -> Bool) throws(FieldBusError) {
        SystemClock.sleep(for: timing.duration(ofCharacters: bytes))
        let deadline = SystemClock.monotonic() + Self.patience
        while !isSent(), SystemClock.monotonic() < deadline { SystemClock.sleep(for: step) }
        if delayAfterSend > .zero { SystemClock.sleep(for: delayAfterSend) }
        try line.set(false)
    }
}
