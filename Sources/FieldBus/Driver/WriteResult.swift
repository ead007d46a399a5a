public import Core

/// A value for one point, as it goes to ``FieldBusDriver/write(device:values:)``.
public struct PointValue: Sendable, Hashable {
    /// The point's identifier within its product.
    public var point: String
    public var value: Value

    public init(point: String, value: Value) {
        self.point = point
        self.value = value
    }
}

/// What became of one value that was to be written.
public struct WriteResult: Sendable, Hashable {
    public var point: String
    public var outcome: WriteOutcome

    public init(point: String, outcome: WriteOutcome) {
        self.point = point
        self.outcome = outcome
    }
}

/// How a write ended. Only ``written`` means that the device holds the value; of ``sent`` nobody knows.
public enum WriteOutcome: Sendable, Hashable {
    /// The device took the value and gave the same one back.
    case written
    /// It went out to all devices of the line, which do not answer.
    case sent
    /// The bus has no such device.
    case unknownDevice
    /// The device has no such point.
    case unknownPoint
    /// The point is not configured as writable, or lies in an area that cannot be written.
    case readOnly
    /// The value's kind does not fit the point's type (text for a number, a fraction for an unscaled integer).
    case typeMismatch(expected: PointType)
    /// The value does not fit the point's type after scaling, or the text is longer than the point.
    case outOfRange
    /// The device refused, or did not answer: it may or may not have taken the value.
    case failed(QualityReason)
    /// The device took the value, but reading it back failed.
    case notVerified(QualityReason)
    /// The device took the value and then gave back another one; `read` is nil when that one is not a valid value.
    case readBackDiffers(written: Value, read: Value?)
    /// More writes wait for this bus than it may queue.
    case busy

    public var isWritten: Bool { self == .written || self == .sent }

    /// One sentence for the person who asked for the write.
    public var message: String {
        switch self {
        case .written: "written"
        case .sent: "sent to all devices of the line, which do not answer"
        case .unknownDevice: "no bus has this device"
        case .unknownPoint: "the device has no such point"
        case .readOnly: "the point is read-only"
        case .typeMismatch(let expected): "the value does not fit the point's type \(expected.rawValue)"
        case .outOfRange: "the value is out of the point's range"
        case .failed(let reason): "the device did not take the value: \(reason.rawValue)"
        case .notVerified(let reason): "the device took the value, but reading it back failed: \(reason.rawValue)"
        case .readBackDiffers(let written, let read):
            "the device gave back \(read.map(WriteOutcome.text) ?? "no valid value") after \(WriteOutcome.text(written)) was written"
        case .busy: "too many writes wait for this bus; try again later"
        }
    }

    private static func text(_ value: Value) -> String {
        if case .string(let text) = value { "\"\(text)\"" } else { value.digits }
    }
}
