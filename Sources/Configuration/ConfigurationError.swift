/// One mistake in a configuration file.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public var position: SourcePosition
    /// What is wrong and what would be right; without the position.
    public var message: String

    public init(_ position: SourcePosition, _ message: String) {
        self.position = position
        self.message = message
    }

    public var file: String { position.file }
    public var line: Int { position.line }
    public var column: Int { position.column }

    /// `martlet.toml:14:8: baud-rate 11520 is not supported (1200, 2400, …)`
    public var description: String { "\(position): \(message)" }
}

/// Every mistake of a file and of those that it names, each in the order of its file; never empty.
public struct ConfigurationErrors: Error, Sendable, Hashable, CustomStringConvertible {
    public var errors: [ConfigurationError]

    public init(_ errors: [ConfigurationError]) {
        self.errors = errors.inOrderOfFiles(\.position)
    }

    /// One line for each error.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// Collects the mistakes, and what is merely odd, while a file is decoded and checked.
package struct Findings {
    /// A file of nothing but mistakes is not reported beyond this.
    package static let limit = 1000

    package let file: String
    package private(set) var errors: [ConfigurationError] = []
    package private(set) var warnings: [ConfigurationWarning] = []

    package init(file: String) { self.file = file }

    package mutating func report(_ position: SourcePosition, _ message: String) {
        guard errors.count < Findings.limit else { return }
        errors.append(ConfigurationError(position, message))
    }

    package mutating func warn(_ position: SourcePosition, _ message: String) {
        guard warnings.count < Findings.limit else { return }
        warnings.append(ConfigurationWarning(position, message))
    }

    /// Takes over what was found in a file that this one names.
    package mutating func append(_ others: [ConfigurationError]) {
        errors += others.prefix(max(0, Findings.limit - errors.count))
    }

    package mutating func report(_ mark: TOMLMark, _ message: String) { report(position(mark), message) }

    package func position(_ mark: TOMLMark) -> SourcePosition {
        SourcePosition(file: file, line: Int(mark.line), column: Int(mark.column))
    }
}
