// JSON is read in one pass that checks the whole text (RFC 8259) and writes down where each value lies. No tree is built and
// nothing is converted: a reader then asks for the few members that it needs. The list of nodes is kept and used again, so
// that scanning allocates nothing once it is as long as the largest text needs.

/// Checks a JSON text and finds values in it.
///
///     var scanner = JSONScanner()
///     try scanner.scan(payload)
///     if let params = scanner.member("params", of: JSONScanner.root), …
public struct JSONScanner: ~Copyable {
    /// Arrays and objects inside each other.
    public static let maxDepth = 64
    /// Values and member names in one text (16 MiB of nodes).
    public static let maxNodes = 1 << 20
    /// The node of the outermost value.
    public static let root = 0

    /// More nodes than this are given back when the next text is scanned.
    static let keptNodes = 1 << 14
    static let noParent = UInt32.max

    var nodes: UnsafeMutablePointer<JSONNode>
    var capacity: Int
    public private(set) var nodeCount = 0
    /// The text that was scanned last. The caller keeps it alive for as long as it asks for values.
    public private(set) var bytes = UnsafeRawBufferPointer(start: nil, count: 0)

    public init(capacity: Int = 64) {
        self.capacity = max(capacity, 16)
        nodes = .allocate(capacity: self.capacity)
    }

    deinit { nodes.deallocate() }

    /// Forgets the text.
    public mutating func reset() {
        bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        nodeCount = 0
        if capacity > Self.keptNodes { resize(to: 64) }
    }

    /// Checks that `text` is one JSON value, and indexes it. After an error there are no nodes.
    ///
    /// - Throws: ``JSONError`` with the offset of the byte at fault.
    public mutating func scan(_ text: UnsafeRawBufferPointer) throws(JSONError) {
        reset()
        guard text.count <= Int(Int32.max) else { throw JSONError(.tooLarge, at: Int(Int32.max)) }
        bytes = text
        do throws(JSONError) {
            try scanDocument()
        } catch {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            nodeCount = 0
            throw error
        }
    }

    private mutating func resize(to newCapacity: Int) {
        let larger = UnsafeMutablePointer<JSONNode>.allocate(capacity: newCapacity)
        larger.initialize(from: nodes, count: nodeCount)
        nodes.deallocate()
        nodes = larger
        capacity = newCapacity
    }

    /// Adds a node whose `next` is the node after it.
    @inline(__always)
    private mutating func append(
        _ kind: JSONKind, from start: Int, to end: Int, flag: Bool = false
    ) throws(JSONError) {
        if nodeCount == capacity {
            guard capacity < Self.maxNodes else { throw JSONError(.tooLarge, at: start) }
            resize(to: capacity * 2)
        }
        nodes[nodeCount] = JSONNode(
            kind: kind, start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
            next: UInt32(truncatingIfNeeded: nodeCount + 1), flag: flag)
        nodeCount += 1
    }

    private mutating func scanDocument() throws(JSONError) {
        let text = JSONLexer(bytes)
        var at = 0
        var depth = 0
        var parent = Self.noParent
        text.skipWhiteSpace(&at)
        if at == text.count { throw JSONError(.empty, at: at) }

        nextValue: while true {
            // `at` stands at the first character of a value.
            guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
            let start = at
            switch text[at] {
            case UInt8(ascii: "{"):
                depth += 1
                if depth > Self.maxDepth { throw JSONError(.tooDeep, at: at) }
                at += 1
                try append(.object, from: start, to: start)
                nodes[nodeCount - 1].next = parent
                parent = UInt32(truncatingIfNeeded: nodeCount - 1)
                text.skipWhiteSpace(&at)
                if at < text.count, text[at] == UInt8(ascii: "}") { break }
                try scanName(text, &at)
                continue nextValue
            case UInt8(ascii: "["):
                depth += 1
                if depth > Self.maxDepth { throw JSONError(.tooDeep, at: at) }
                at += 1
                try append(.array, from: start, to: start)
                nodes[nodeCount - 1].next = parent
                parent = UInt32(truncatingIfNeeded: nodeCount - 1)
                text.skipWhiteSpace(&at)
                if at < text.count, text[at] == UInt8(ascii: "]") { break }
                continue nextValue
            case UInt8(ascii: "\""):
                let isEscaped = try text.skipString(&at)
                try append(.string, from: start, to: at, flag: isEscaped)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                let hasFraction = try text.skipNumber(&at)
                try append(.number, from: start, to: at, flag: hasFraction)
            case UInt8(ascii: "t"):
                try text.skipLiteral("true", &at)
                try append(.true, from: start, to: at)
            case UInt8(ascii: "f"):
                try text.skipLiteral("false", &at)
                try append(.false, from: start, to: at)
            case UInt8(ascii: "n"):
                try text.skipLiteral("null", &at)
                try append(.null, from: start, to: at)
            default:
                throw JSONError(.unexpectedCharacter, at: at)
            }

            // A value has ended, or an empty array or object stands before its closing bracket.
            while true {
                text.skipWhiteSpace(&at)
                if parent == Self.noParent {
                    if at < text.count { throw JSONError(.trailingCharacters, at: at) }
                    return
                }
                guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
                let open = Int(parent)
                let isObject = nodes[open].kind == .object
                let character = text[at]
                if character == UInt8(ascii: ",") {
                    at += 1
                    text.skipWhiteSpace(&at)
                    if isObject { try scanName(text, &at) }
                    continue nextValue
                }
                guard character == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw JSONError(.unexpectedCharacter, at: at)
                }
                at += 1
                depth -= 1
                parent = nodes[open].next
                nodes[open].end = UInt32(truncatingIfNeeded: at)
                nodes[open].next = UInt32(truncatingIfNeeded: nodeCount)
            }
        }
    }

    /// A member's name, its colon and the white space after it.
    @inline(__always)
    private mutating func scanName(_ text: JSONLexer, _ at: inout Int) throws(JSONError) {
        guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
        guard text[at] == UInt8(ascii: "\"") else { throw JSONError(.unexpectedCharacter, at: at) }
        let start = at
        let isEscaped = try text.skipString(&at)
        try append(.string, from: start, to: at, flag: isEscaped)
        text.skipWhiteSpace(&at)
        guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
        guard text[at] == UInt8(ascii: ":") else { throw JSONError(.unexpectedCharacter, at: at) }
        at += 1
        text.skipWhiteSpace(&at)
    }
}
