/// What a route is called, in the store and by its users: `BRIDGE/PRIORITY`.
public struct RouteName: Sendable, Hashable, CustomStringConvertible {
    public var bridge: String
    /// 0…9.
    public var priority: Int

    /// The priority of a route for which none is given.
    public static let defaultPriority = 5

    public init(bridge: String, priority: Int) {
        self.bridge = bridge
        self.priority = priority
    }

    /// Reads a name; nil if it is none.
    public init?(_ text: some StringProtocol) {
        guard let slash = text.lastIndex(of: "/"), slash > text.startIndex, let priority = Int(text[text.index(after: slash)...]),
            (0...9).contains(priority)
        else { return nil }
        self.init(bridge: String(text[..<slash]), priority: priority)
    }

    public var description: String { "\(bridge)/\(priority)" }

    /// Bridge by bridge, of each the most important first.
    public static func isBefore(_ one: RouteName, _ other: RouteName) -> Bool {
        (one.bridge, -one.priority) < (other.bridge, -other.priority)
    }
}
