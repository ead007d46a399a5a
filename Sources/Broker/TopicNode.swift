/// What hangs on a node of a topic tree.
protocol TopicNodeContent {
    /// Nothing.
    init()
    var isEmpty: Bool { get }
}

/// A tree of topic levels. A node that holds nothing and leads nowhere is taken away with its content.
final class TopicNode<Content: TopicNodeContent> {
    private(set) var children: [String: TopicNode] = [:]
    var content = Content()

    /// The levels of a topic or filter.
    static func levels(_ topic: String) -> ArraySlice<Substring> {
        topic.split(separator: "/", omittingEmptySubsequences: false)[...]
    }

    /// The node at `levels`; nil if there is none.
    func find(_ levels: ArraySlice<Substring>) -> TopicNode? {
        var node = self
        for level in levels {
            guard let next = node.children[String(level)] else { return nil }
            node = next
        }
        return node
    }

    /// The node at `levels`, made if need be.
    func make(_ levels: ArraySlice<Substring>) -> TopicNode {
        var node = self
        for level in levels {
            let key = String(level)
            if let next = node.children[key] {
                node = next
            } else {
                let next = TopicNode()
                node.children[key] = next
                node = next
            }
        }
        return node
    }

    /// Takes something from the content at `levels`.
    ///
    /// - Returns: what `body` does, nil if there is no such node.
    func take<Taken>(_ levels: ArraySlice<Substring>, _ body: (inout Content) -> Taken?) -> Taken? {
        guard let level = levels.first else { return body(&content) }
        let key = String(level)
        guard let child = children[key] else { return nil }
        let taken = child.take(levels.dropFirst(), body)
        if child.children.isEmpty, child.content.isEmpty { children[key] = nil }
        return taken
    }
}
