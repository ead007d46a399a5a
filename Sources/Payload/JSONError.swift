/// Why bytes are not JSON (RFC 8259), and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: UInt8, Sendable, Hashable {
        /// There is nothing but white space.
        case empty
        /// The text ends inside a value.
        case unexpectedEnd
        /// A character that cannot stand here.
        case unexpectedCharacter
        /// A backslash in a string is followed by something that JSON does not define.
        case invalidEscape
        /// A character below U+0020 stands in a string unescaped.
        case controlCharacter
        /// The bytes of a string are not UTF-8.
        case invalidUTF8
        /// More than ``JSONScanner/maxDepth`` arrays and objects inside each other.
        case tooDeep
        /// More than ``JSONScanner/maxNodes`` values, or more than 2 GiB.
        case tooLarge
        /// Something follows the value.
        case trailingCharacters
    }

    public var reason: Reason
    /// Bytes from the start of the text to the offending byte.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let what = switch reason {
        case .empty: "no JSON value"
        case .unexpectedEnd: "the text ends inside a value"
        case .unexpectedCharacter: "unexpected character"
        case .invalidEscape: "invalid escape in a string"
        case .controlCharacter: "control character in a string"
        case .invalidUTF8: "not UTF-8"
        case .tooDeep: "more than \(JSONScanner.maxDepth) levels of arrays and objects"
        case .tooLarge: "more than \(JSONScanner.maxNodes) values"
        case .trailingCharacters: "something follows the value"
        }
        return "\(what) at byte \(offset)"
    }
}
