import Core

// A tree of topic levels whose nodes are found by the bytes of a level: neither to look nor to walk makes a `String`.
//
//     a/b, a/+/c, #              root ── "a" ─┬─ "b"
//                                 │#          └─ "+" ── "c"
//
// `#` is not a level: what a filter that ends with it holds hangs on the node before. `+` is a level like any other, which
// whoever walks the tree for a topic looks for beside the topic's own.

/// What hangs on a node of a topic tree.
protocol TopicNodeContent {
    /// Nothing.
    init()
    var isEmpty: Bool { get }
}

/// A node, and with it what is below. A node that holds nothing and leads nowhere is taken away with its content.
final class TopicNode<Content: TopicNodeContent> {
    let level: [UInt8]
    fileprivate let hash: UInt64
    private(set) var children = TopicChildren<Content>()
    var content = Content()

    /// A root.
    init() {
        level = []
        hash = 0
    }

    fileprivate init(level: UnsafeRawBufferPointer, hash: UInt64) {
        self.level = Array(level)
        self.hash = hash
    }

    /// The child of this level; nil if there is none.
    func child(_ level: UnsafeRawBufferPointer) -> TopicNode? { children.find(level, hash: topicLevelHash(level)) }

    /// The node at `path`; nil if there is none.
    func find(_ path: TopicPath) -> TopicNode? {
        var node = self
        var rest = path
        while let level = rest.next() {
            guard let next = node.child(level) else { return nil }
            node = next
        }
        return node
    }

    /// The node at `path`, made if need be.
    func make(_ path: TopicPath) -> TopicNode {
        var node = self
        var rest = path
        while let level = rest.next() {
            let hash = topicLevelHash(level)
            if let next = node.children.find(level, hash: hash) {
                node = next
            } else {
                let next = TopicNode(level: level, hash: hash)
                node.children.insert(next)
                node = next
            }
        }
        return node
    }

    /// Takes something from the content at `path`.
    ///
    /// - Returns: what `body` does, nil if there is no such node.
    func take<Taken>(_ path: TopicPath, _ body: (inout Content) -> Taken?) -> Taken? {
        var rest = path
        guard let level = rest.next() else { return body(&content) }
        guard let child = child(level) else { return nil }
        let taken = child.take(rest, body)
        if child.children.isEmpty, child.content.isEmpty { children.remove(child) }
        return taken
    }

    var isReserved: Bool { level.first == UInt8(ascii: "$") }

    /// Visits this node and all below it.
    func forEach(_ levels: [String] = [], _ visit: (_ levels: [String], Content) -> Void) {
        visit(levels, content)
        children.forEach { $0.forEach(levels + [String(decoding: $0.level, as: UTF8.self)], visit) }
    }

    /// Whether a node below holds nothing and leads nowhere.
    var hasDeadNodes: Bool {
        var found = false
        children.forEach { child in
            if child.children.isEmpty && child.content.isEmpty || child.hasDeadNodes { found = true }
        }
        return found
    }
}

/// The levels of a topic or filter that are still to be walked.
struct TopicPath {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// No level at all: what `#` alone has before it.
    static var root: TopicPath {
        var path = TopicPath(UnsafeRawBufferPointer(start: nil, count: 0))
        path.at = 1
        return path
    }

    /// All that the levels were taken from.
    var whole: UnsafeRawBufferPointer { bytes }

    /// All levels have been taken.
    var isAtEnd: Bool { at > bytes.count }

    mutating func next() -> UnsafeRawBufferPointer? {
        guard at <= bytes.count else { return nil }
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "/") { at += 1 }
        defer { at += 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<at])
    }
}

private let hashOfLevel = ByteHash()
private func topicLevelHash(_ level: UnsafeRawBufferPointer) -> UInt64 { hashOfLevel(level) }

/// The children of a node: a list while they are few, an open-addressing hash table beyond.
struct TopicChildren<Content: TopicNodeContent> {
    typealias Node = TopicNode<Content>

    /// As a list without holes up to ``listLimit``, else a table whose size is a power of two.
    private var slots: ContiguousArray<Node?> = []
    private(set) var count = 0
    private static var listLimit: Int { 4 }

    var isEmpty: Bool { count == 0 }
    private var isTable: Bool { slots.count > Self.listLimit }

    func find(_ level: UnsafeRawBufferPointer, hash: UInt64) -> Node? {
        slots.withUnsafeBufferPointer { slots in
            guard slots.count > Self.listLimit else {
                for case let node? in slots where node.hash == hash && Self.matches(node, level) { return node }
                return nil
            }
            let mask = slots.count - 1
            var index = Int(truncatingIfNeeded: hash) & mask
            while let node = slots[index] {
                if node.hash == hash, Self.matches(node, level) { return node }
                index = (index + 1) & mask
            }
            return nil
        }
    }

    private static func matches(_ node: Node, _ level: UnsafeRawBufferPointer) -> Bool {
        node.level.withUnsafeBytes { $0.hasSameBytes(as: level) }
    }

    /// Adds a node whose level is not there yet.
    mutating func insert(_ node: Node) {
        count += 1
        if count <= Self.listLimit, !isTable {
            slots.append(node)
        } else {
            if count * 4 > slots.count * 3 || !isTable { rebuild(size: max(16, slots.count * 2)) }
            place(node)
        }
    }

    mutating func remove(_ node: Node) {
        guard isTable else {
            slots.removeAll { $0 === node }
            count = slots.count
            return
        }
        let mask = slots.count - 1
        var hole = Int(truncatingIfNeeded: node.hash) & mask
        while let other = slots[hole], other !== node { hole = (hole + 1) & mask }
        guard slots[hole] != nil else { return }
        count -= 1
        slots[hole] = nil
        // Those behind that stand further from their place than the hole move up.
        var index = (hole + 1) & mask
        while let other = slots[index] {
            let home = Int(truncatingIfNeeded: other.hash) & mask
            if (index - home) & mask >= (index - hole) & mask {
                slots[hole] = other
                slots[index] = nil
                hole = index
            }
            index = (index + 1) & mask
        }
        if count == 0 {
            slots = []
        } else if slots.count > 16, count * 8 < slots.count {
            rebuild(size: slots.count / 2)
        }
    }

    private mutating func rebuild(size: Int) {
        let old = slots
        slots = ContiguousArray(repeating: nil, count: size)
        for case let node? in old { place(node) }
    }

    private mutating func place(_ node: Node) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: node.hash) & mask
        while slots[index] != nil { index = (index + 1) & mask }
        slots[index] = node
    }

    func forEach(_ body: (Node) -> Void) {
        for case let node? in slots { body(node) }
    }
}

extension String {
    /// Its UTF-8 bytes, which are only there during the call.
    func withTopicBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
