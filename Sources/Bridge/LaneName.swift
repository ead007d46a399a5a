/// What a lane is called in the store: `BRIDGE/PRIORITY#GENERATION`.
public struct LaneName: Sendable, Equatable {
    public let bridge: String
    public let priority: Int
    public let generation: Int64

    /// The priority of a route for which none is given.
    public static let defaultPriority = 5

    /// Reads a name. One that is only a bridge's is that of its lane from before there were routes.
    public init?(_ text: String) {
        guard let slash = text.lastIndex(of: "/") else {
            self.init(bridge: text, priority: LaneName.defaultPriority, generation: 0)
            return
        }
        let parts = text[text.index(after: slash)...].split(separator: "#", omittingEmptySubsequences: false)
        guard parts.count == 2, let priority = Int(parts[0]), (0...9).contains(priority), let generation = Int64(parts[1]),
            generation >= 0
        else { return nil }
        self.init(bridge: String(text[..<slash]), priority: priority, generation: generation)
    }

    private init(bridge: String, priority: Int, generation: Int64) {
        self.bridge = bridge
        self.priority = priority
        self.generation = generation
    }
}
