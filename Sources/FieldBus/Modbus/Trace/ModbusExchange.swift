public import Core

/// Bytes that went one way without any the other way between.
public struct TracedFrame: Sendable, Hashable {
    public enum Direction: Sendable {
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
}

/// A request and what came back, as on the line.
public struct ModbusExchange: Sendable {
    public var framing: ModbusFraming
    public var unitIdentifier: Int
    public var frames: [TracedFrame]
    /// nil when the answer was good.
    public var failure: RequestFailure?

    /// From the request's last byte to the answer's first; nil without an answer.
    public var answerTime: Duration? {
        guard let sent = frames.first(where: { $0.direction == .sent }),
            let received = frames.last, received.direction == .received
        else { return nil }
        return received.began - sent.ended
    }

    /// What a frame of it says, for people.
    public func text(of frame: TracedFrame) -> String {
        FrameText(frame.bytes, framing: framing, isRequest: frame.direction == .sent).text
    }
}
