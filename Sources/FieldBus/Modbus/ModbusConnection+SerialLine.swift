import CModbus
import Core
import Glibc

// The silence between frames and answers that come too late, which only a serial line knows.

extension ModbusConnection {
    /// Until when this device's answer to an earlier request may come; nil if none can.
    func answerIsOwed(by unit: Int) -> MonotonicTime? { owed[unit]?.until }

    /// Waits until the line has been silent for long enough, and until a late answer to another request has passed. What
    /// came meanwhile is thrown away.
    mutating func awaitSilence(_ timing: SerialTiming, before request: Request, timeout: Duration) {
        if let debt = owed[request.unitIdentifier] {
            let now = SystemClock.monotonic()
            if debt.until > now, debt.request == request {
                // The answer to this repetition may be that of the first try; its own is then still to come.
                owed[request.unitIdentifier] = (request, now + timeout + timeout)
            } else {
                // Polls were put off until then, so only a write waits here.
                discardInput(until: debt.until)
                owed[request.unitIdentifier] = nil
            }
        }
        if discard(waiting: .zero) { drain(timing) }
        SystemClock.sleep(until: lastActivity + timing.silence)
    }

    /// Throws away what comes until the line has been silent for 3.5 characters, two longest frames at most.
    mutating func drain(_ timing: SerialTiming) {
        let end = SystemClock.monotonic() + timing.duration(ofCharacters: 512) + timing.burst
        while SystemClock.monotonic() < end, discard(waiting: timing.burst) {}
        _ = cmodbus_flush(context)
        lastActivity = SystemClock.monotonic()
    }

    private mutating func discardInput(until end: MonotonicTime) {
        var now = SystemClock.monotonic()
        while now < end {
            if discard(waiting: end - now) { lastActivity = SystemClock.monotonic() }
            now = SystemClock.monotonic()
        }
    }

    /// Waits for input and throws it away; false if none came.
    private func discard(waiting: Duration) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(clamping: (waiting.wholeNanoseconds + 999_999) / 1_000_000)
        guard poll(&entry, 1, milliseconds) > 0 else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { Glibc.read(descriptor, $0.baseAddress, 256) > 0 }
    }
}
