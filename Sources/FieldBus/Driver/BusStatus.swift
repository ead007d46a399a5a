public import Core

/// The state of a bus at one moment. All counters start at zero when the driver is made and never go back.
public struct BusStatus: Sendable {
    /// The bus' name in the configuration.
    public var name: String
    /// What it speaks, as in the configuration: `modbus-tcp`.
    public var protocolName: String
    public var isOpen: Bool
    /// How often the line was opened.
    public var opens: UInt64
    /// Requests sent, retries and probes included.
    public var requests: UInt64
    /// Requests that got no believable answer.
    public var errors: UInt64
    /// Requests that the device answered with an exception.
    public var exceptions: UInt64
    /// Values delivered, whatever their quality.
    public var samples: UInt64
    /// Polls left out because the bus was too slow for its intervals.
    public var overruns: UInt64
    /// Time spent on the line: sending, waiting for answers, mandatory gaps, opening.
    public var busy: Duration
    /// Time since the driver was made. The difference of two statuses gives the share of a period.
    public var elapsed: Duration
    public var devices: [DeviceStatus]

    /// The share of the time that the line was in use, 0…1.
    public var busyShare: Double {
        elapsed > .zero ? min(1, Double(busy.wholeNanoseconds) / Double(elapsed.wholeNanoseconds)) : 0
    }
}

/// The state of one device of a bus.
public struct DeviceStatus: Sendable {
    public var device: DeviceIdentifier
    /// `bad(not-yet-read)` before the first answer.
    public var quality: Quality
    /// How long until the device is tried again; nil while it answers.
    public var backOff: Duration?
    /// When it last answered.
    public var lastAnswer: Timestamp?
    public var requests: UInt64
    public var errors: UInt64
    /// How many of its points it does not have.
    public var missingPoints: Int
    /// How long it takes to answer, its frames on the line included.
    public var answerTimes = AnswerTimes()
}
