internal import CBoard
import Glibc

/// How the kernel turns the transceiver of an RS-485 line around (TIOCSRS485).
public struct RS485: Sendable, Hashable {
    /// Whether RTS is active while sending; a few transceivers want it the other way round.
    public var rtsOnSend = true
    /// Whether what is sent is received too.
    public var receivesOwn = false
    /// From RTS to the first bit, 0…100 ms; the port's driver may round it.
    public var delayBeforeSend: Duration = .zero
    /// From the last bit to RTS, 0…100 ms; the port's driver may round it.
    public var delayAfterSend: Duration = .zero

    public init() {}

    /// Tells the kernel.
    ///
    /// - Returns: nil, or why the port cannot do it, for a person.
    func apply(to descriptor: Int32) -> String? {
        var settings = martlet_rs485_settings()
        settings.rts_on_send = rtsOnSend ? 1 : 0
        settings.rx_during_tx = receivesOwn ? 1 : 0
        settings.delay_before_send_ms = UInt32(clamping: delayBeforeSend.wholeMillisecondsUp)
        settings.delay_after_send_ms = UInt32(clamping: delayAfterSend.wholeMillisecondsUp)
        switch martlet_serial_set_rs485(descriptor, &settings) {
        case 0:
            return nil
        case -ENOTTY, -EOPNOTSUPP:
            return "the port's driver cannot switch the direction of RS-485; leave rs485 out if the hardware does it by itself"
        case -EINVAL:
            return "the port's driver cannot switch RTS in this way; try rts-on-send the other way round"
        case let code:
            return String(cString: strerror(-code))
        }
    }
}

extension SerialLine {
    /// From the turn to sending to the first bit of a frame, whoever turns the transceiver around.
    var delayBeforeSend: Duration { rs485.map { .milliseconds($0.delayBeforeSend.wholeMillisecondsUp) } ?? rs485Line?.delayBeforeSend ?? .zero }

    /// From the last bit of a frame to the turn to receiving.
    var delayAfterSend: Duration { rs485.map { .milliseconds($0.delayAfterSend.wholeMillisecondsUp) } ?? rs485Line?.delayAfterSend ?? .zero }
}

extension Duration {
    /// The duration in milliseconds, rounded up.
    fileprivate var wholeMillisecondsUp: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
