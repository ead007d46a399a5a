public import NIOCore

/// What a client may ask of the server. Each says what happens beyond.
public struct HTTPLimits: Sendable {
    /// Connections at one time; one more is closed at once.
    public var maximumConnections = 64
    /// Bytes of a request's first line and headers; with more the connection ends after 431.
    public var maximumHeadSize = 16 * 1024
    /// Bytes of a request's body; with more the connection ends after 413.
    public var maximumBodySize = 1 << 20
    /// Time for a whole request, from the connection or from the end of the response before it, and for a response to be
    /// taken; then the connection ends.
    public var timeout = TimeAmount.seconds(30)

    public init() {}
}
