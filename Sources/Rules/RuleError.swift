/// What is wrong with the text of a rule or of a topic template, and where.
public struct RuleError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Counted from 1.
    public var line: Int
    /// Characters (Unicode scalars) of the line up to the fault, counted from 1.
    public var column: Int
    public var message: String

    public init(line: Int, column: Int, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    /// A fault at a byte of `text`.
    init(_ message: String, at offset: Int, of text: [UInt8]) {
        var line = 1
        var column = 1
        for byte in text[..<min(max(offset, 0), text.count)] {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(line: line, column: column, message: message)
    }

    public var description: String { "\(line):\(column): \(message)" }
}
