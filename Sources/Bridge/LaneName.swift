/// What a lane is called in the store: `BRIDGE/PRIORITY#GENERATION`.
public struct LaneName: Sendable, Equatable {
    public let route: RouteName
    public let generation: Int64

    public var bridge: String { route.bridge }
    public var priority: Int { route.priority }

    /// Reads a name. One that is only a bridge's is that of its lane from before there were routes.
    public init?(_ text: String) {
        guard text.contains("/") else {
            route = RouteName(bridge: text, priority: RouteName.defaultPriority)
            generation = 0
            return
        }
        guard let mark = text.lastIndex(of: "#"), let route = RouteName(text[..<mark]),
            let generation = Int64(text[text.index(after: mark)...]), generation >= 0
        else { return nil }
        self.route = route
        self.generation = generation
    }
}
