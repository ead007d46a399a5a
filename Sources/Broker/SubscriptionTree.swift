import Core
import MQTTCodec

// Who wants a topic.
//
// The tree has one node for each level of a filter. It is walked only when a topic is new or a subscription that matches it
// has changed: what a walk finds is kept in the route table, keyed by the topic's bytes, so that the data path is one hash
// and one comparison.

struct SubscriptionTree {
    private struct Content: TopicNodeContent {
        /// Subscriptions that end here, and those that go on with `#`.
        var subscribers: [Int64: Subscriber] = [:]
        var anyBelow: [Int64: Subscriber] = [:]
        /// Shared ones, likewise, by their name.
        var groups = ExactDictionary<SharedGroup>()
        var groupsBelow = ExactDictionary<SharedGroup>()

        var isEmpty: Bool { subscribers.isEmpty && anyBelow.isEmpty && groups.isEmpty && groupsBelow.isEmpty }
    }

    private typealias Node = TopicNode<Content>

    private let root = Node()
    private var routes = RouteTable()
    /// What the walk finds; empty between two of them. Its ``Match/walk`` counts them: what tells a route from all others, and
    /// how one walk finds out which sessions it has met.
    private var found = Match()

    // MARK: Subscriptions

    /// Adds or replaces a session's subscription.
    mutating func insert(_ filter: String, _ subscription: Subscription, session: Session) {
        let subscriber = Subscriber(session: session, subscription: subscription)
        let root = root
        if let shared = SharedFilter(filter) {
            change(shared.filter) { path, below in
                let node = root.make(path)
                let groups: WritableKeyPath<Content, ExactDictionary<SharedGroup>> = below ? \.groupsBelow : \.groups
                let group = node.content[keyPath: groups][shared.name] ?? SharedGroup(name: shared.name)
                let isNew = group.isEmpty
                group.put(subscriber)
                node.content[keyPath: groups][shared.name] = group
                // A route leads to the group, whoever is in it.
                return isNew
            }
        } else {
            change(filter) { path, below in
                let node = root.make(path)
                if below {
                    node.content.anyBelow[session.number] = subscriber
                } else {
                    node.content.subscribers[session.number] = subscriber
                }
                return true
            }
        }
    }

    /// What a session may receive has changed.
    mutating func permissionsChanged() { routes.retireAll() }

    /// Removes a session's subscription, if it has it. [MQTT-3.10.4-2] no message finds it from then on.
    mutating func remove(_ filter: String, session: Session) {
        let root = root
        if let shared = SharedFilter(filter) {
            change(shared.filter) { path, below in
                let groups: WritableKeyPath<Content, ExactDictionary<SharedGroup>> = below ? \.groupsBelow : \.groups
                return root.take(path) { content -> Bool? in
                    guard let group = content[keyPath: groups][shared.name] else { return nil }
                    group.remove(session)
                    guard group.isEmpty else { return false }
                    content[keyPath: groups][shared.name] = nil
                    return true
                } ?? false
            }
        } else {
            change(filter) { path, below in
                root.take(path) { content in
                    below
                        ? content.anyBelow.removeValue(forKey: session.number)
                        : content.subscribers.removeValue(forKey: session.number)
                } != nil
            }
        }
    }

    /// Lets `body` change the tree at a filter, and gives up the routes that this concerns.
    ///
    /// - Parameter body: gets the filter's levels without a last `#`, and whether there was one; whether routes change.
    private mutating func change(_ filter: String, _ body: (TopicPath, _ below: Bool) -> Bool) {
        filter.withTopicBytes { bytes in
            let isAll = bytes.count == 1 && bytes[0] == UInt8(ascii: "#")
            let below = isAll || bytes.count > 1 && bytes[bytes.count - 1] == UInt8(ascii: "#")
            let path = isAll ? TopicPath.root : TopicPath(below ? UnsafeRawBufferPointer(rebasing: bytes.dropLast(2)) : bytes)
            if body(path, below) { routes.retire(matching: bytes) }
        }
    }

    // MARK: Routes

    /// The subscribers of a topic: [MQTT-3.3.2-3], [MQTT-4.5.0-1] those with a filter that it matches, and all of them.
    mutating func route(_ topic: UnsafeRawBufferPointer) -> Route {
        let hash = routes.hash(topic)
        if let route = routes.find(topic, hash: hash) { return route }
        found.walk &+= 1
        // [MQTT-4.7.2-1] wildcards at the start do not match topics that begin with `$`.
        SubscriptionTree.collect(root, TopicPath(topic), isReserved: topic.first == UInt8(ascii: "$"), into: &found)
        let route = Route(
            topic: topic, hash: hash, number: found.walk, targets: found.targets(mayReceive: topic), groups: found.groups)
        found.clear()
        routes.insert(route)
        return route
    }

    /// What a walk has found so far.
    private struct Match {
        var walk: UInt64 = 0
        private var targets: [Target] = []
        var groups: [SharedGroup] = []

        /// Room for so many targets is kept for the next walk.
        private static let kept = 1_024

        /// Those of the targets that may have what is published to a topic, in the order of their sessions.
        mutating func targets(mayReceive topic: UnsafeRawBufferPointer) -> [Target] {
            if targets.contains(where: { $0.session.permissions != nil }) {
                targets.removeAll { $0.session.permissions?.mayReceive(topic) == false }
            }
            if targets.count > 1 { targets.sort { $0.session.number < $1.session.number } }
            // A copy that is no larger than it has to be.
            return targets.map { $0 }
        }

        mutating func clear() {
            targets.removeAll(keepingCapacity: targets.capacity <= Match.kept)
            groups.removeAll()
        }

        mutating func add(_ subscribers: [Int64: Subscriber], of topic: UnsafeRawBufferPointer) {
            for subscriber in subscribers.values where !subscriber.subscription.hiddenLevel.hides(topic) {
                let session = subscriber.session
                if session.lastWalk == walk {
                    targets[session.indexInWalk].merge(subscriber.subscription)
                } else {
                    session.lastWalk = walk
                    session.indexInWalk = targets.count
                    targets.append(Target(subscriber))
                }
            }
        }
    }

    private static func collect(_ node: Node, _ path: TopicPath, isReserved: Bool, into found: inout Match) {
        if !isReserved {
            if !node.content.anyBelow.isEmpty { found.add(node.content.anyBelow, of: path.whole) }
            if !node.content.groupsBelow.isEmpty { found.groups += node.content.groupsBelow.values }
        }
        var rest = path
        guard let level = rest.next() else {
            if !node.content.subscribers.isEmpty { found.add(node.content.subscribers, of: path.whole) }
            if !node.content.groups.isEmpty { found.groups += node.content.groups.values }
            return
        }
        if let child = node.child(level) { collect(child, rest, isReserved: false, into: &found) }
        if !isReserved, let child = node.child(SubscriptionTree.plus) {
            collect(child, rest, isReserved: false, into: &found)
        }
    }

    /// Every subscription and the number of its session, for ``Broker/checkInvariants()``.
    var all: [(filter: String, session: Int64)] {
        var found: [(filter: String, session: Int64)] = []
        root.forEach { levels, content in
            let filter = levels.joined(separator: "/")
            let below = (levels + ["#"]).joined(separator: "/")
            for number in content.subscribers.keys { found.append((filter, number)) }
            for number in content.anyBelow.keys { found.append((below, number)) }
            for (filter, groups) in [(filter, content.groups), (below, content.groupsBelow)] {
                for (name, group) in groups {
                    for member in group.members {
                        found.append(("\(SharedFilter.prefix)\(name)/\(filter)", member.session.number))
                    }
                }
            }
        }
        return found
    }

    var hasDeadNodes: Bool { root.hasDeadNodes }

    /// The level `+`. Unsafe: never written after it was made, and never freed.
    private nonisolated(unsafe) static let plus: UnsafeRawBufferPointer = {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        bytes[0] = UInt8(ascii: "+")
        return UnsafeRawBufferPointer(bytes)
    }()
}
