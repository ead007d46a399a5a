public import Core

/// Bytes that went one way without any the other way between.
public struct TracedFrame: Sendable, Hashable {
    public enum Direction: String, Sendable {
        case sent
        case received
    }

    public var direction: Direction
    public var bytes: [UInt8]
    /// When the first of them came by.
    public var time: Timestamp
    public var began: MonotonicTime
    /// When the last of them came by. Of a serial line: when this process handed them over or got them.
    public var ended: MonotonicTime
    /// What they say, for people.
    public var text = ""
    /// The bytes are text and stand in ``text`` already.
    public var isText = false
}

/// What passed over a line together: a request and what came back, or something that came by itself.
public struct TracedExchange: Sendable, Hashable {
    /// nil where it concerns none, or many.
    public var device: DeviceIdentifier?
    public var frames: [TracedFrame]
    /// Why there is no answer that can be believed; nil when there is one, be it a refusal.
    public var failure: String?

    public init(device: DeviceIdentifier? = nil, frames: [TracedFrame], failure: String? = nil) {
        self.device = device
        self.frames = frames
        self.failure = failure
    }

    /// From the request's last byte to the answer's first; nil without an answer.
    public var answerTime: Duration? {
        guard let sent = frames.first(where: { $0.direction == .sent }),
            let received = frames.last, received.direction == .received
        else { return nil }
        return received.began - sent.ended
    }
}
