/// The kinds of JSON value.
public enum JSONKind: UInt8, Sendable, Hashable {
    case null
    case `true`
    case `false`
    case number
    case string
    case array
    case object
}

/// One value or member name of a scanned text: where it lies, and where the next one is.
///
/// Nodes are numbered in the order of the text, so everything inside an array or object follows it:
///
///     text   {"a":[1,2],"b":true}
///     node    0 object next 7 │ 1 "a" next 2 │ 2 array next 5 │ 3 1 │ 4 2 │ 5 "b" next 6 │ 6 true next 7
public struct JSONNode: Sendable {
    /// First byte of the value's text, its quote or bracket included.
    public let start: UInt32
    /// The byte after the value's text.
    public internal(set) var end: UInt32
    /// Number of the first node after this value and everything inside it. (Of an array or object that is still open:
    /// the number of its parent.)
    public internal(set) var next: UInt32
    public let kind: JSONKind
    /// Of a string: whether it contains escapes. Of a number: whether it has a fraction or an exponent.
    @usableFromInline let flag: Bool

    @usableFromInline
    init(kind: JSONKind, start: UInt32, end: UInt32, next: UInt32, flag: Bool = false) {
        self.start = start
        self.end = end
        self.next = next
        self.kind = kind
        self.flag = flag
    }

    /// Whether a string has to be unescaped to be read.
    @inlinable public var isEscaped: Bool { flag }
    /// Whether a number has neither fraction nor exponent.
    @inlinable public var isInteger: Bool { !flag }
}
