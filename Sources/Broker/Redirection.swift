/// Another server that clients are told of (MQTT 5.0 §4.11).
public struct Redirection: Sendable, Equatable {
    public enum Occasion: Sendable {
        /// When this server shuts down; until then clients are welcome.
        case shutdown
        /// Clients are refused: for now they use the other server.
        case always
        /// Clients are refused: the other server takes this one's place for good.
        case moved
    }

    /// `host`, `host:port` or several of these, separated by spaces.
    public var serverReference: String
    public var occasion: Occasion

    public init(serverReference: String, occasion: Occasion) {
        self.serverReference = serverReference
        self.occasion = occasion
    }
}
