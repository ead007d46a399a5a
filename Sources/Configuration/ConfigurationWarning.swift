/// Something in a configuration that can work and that hardly anybody means: the box starts with it.
public struct ConfigurationWarning: Sendable, Hashable, CustomStringConvertible {
    public var position: SourcePosition
    /// What is odd and what would be better; without the position.
    public var message: String

    public init(_ position: SourcePosition, _ message: String) {
        self.position = position
        self.message = message
    }

    /// `martlet.toml:14:8: warning: no point of the product uses group "slow"`
    public var description: String { "\(position): warning: \(message)" }
}

/// The warnings of a file and of those that it names, each in the order of its file.
public struct ConfigurationWarnings: Sendable, Hashable {
    public private(set) var list: [ConfigurationWarning] = []

    package init() {}

    /// Adds some, and puts all in order.
    public mutating func append(_ others: [ConfigurationWarning]) {
        list = (list + others).inOrderOfFiles(\.position)
    }

    /// Two configurations are equal when their values are, whatever was said of them.
    public static func == (a: ConfigurationWarnings, b: ConfigurationWarnings) -> Bool { true }

    public func hash(into hasher: inout Hasher) {}
}

extension Array {
    /// The elements of each file together, in the order of its lines; files in the order of their first elements.
    func inOrderOfFiles(_ position: (Element) -> SourcePosition) -> [Element] {
        var files: [String] = []
        for element in self where !files.contains(position(element).file) { files.append(position(element).file) }
        return files.flatMap { file in
            filter { position($0).file == file }.sorted {
                (position($0).line, position($0).column) < (position($1).line, position($1).column)
            }
        }
    }
}
