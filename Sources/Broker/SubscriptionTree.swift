import Core
import MQTTCodec

// Who wants a topic.
//
// The tree has one node for each level of a filter. It is walked only when a topic is new or subscriptions have changed:
// what a walk finds is kept in the route table, keyed by the topic's bytes, so that the data path is one hash and one
// comparison.

/// A subscriber of one topic, all its matching subscriptions taken together.
struct Target {
    let session: Session
    /// The highest granted of the matching subscriptions [MQTT-3.3.4-2].
    var qos: QoS
    var retainAsPublished: Bool
    /// Every matching subscription has No Local.
    var noLocal: Bool
    var subscriptionIdentifiers: [UInt32]?
}

/// The subscribers of one topic.
final class Route {
    let topic: [UInt8]
    let hash: UInt64
    let generation: UInt64
    /// Levels of the topic.
    let depth: Int
    let targets: [Target]

    init(topic: [UInt8], hash: UInt64, generation: UInt64, targets: [Target]) {
        self.topic = topic
        self.hash = hash
        self.generation = generation
        self.targets = targets
        depth = topic.reduce(1) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 }
    }
}

struct SubscriptionTree {
    private final class Node {
        var children: [String: Node] = [:]
        /// Subscriptions that end here, and those that go on with `#`.
        var subscribers: [Int64: Subscriber] = [:]
        var anyBelow: [Int64: Subscriber] = [:]

        var isEmpty: Bool { children.isEmpty && subscribers.isEmpty && anyBelow.isEmpty }
    }

    private struct Subscriber {
        let session: Session
        var subscription: Subscription
    }

    private let root = Node()
    private var routes = RouteTable()
    private(set) var generation: UInt64 = 1

    /// Adds or replaces a session's subscription; true if it is new.
    mutating func insert(_ filter: String, _ subscription: Subscription, session: Session) -> Bool {
        generation += 1
        var (levels, below) = SubscriptionTree.split(filter)
        var node = root
        while let level = levels.popFirst() {
            let key = String(level)
            if let next = node.children[key] {
                node = next
            } else {
                let next = Node()
                node.children[key] = next
                node = next
            }
        }
        let subscriber = Subscriber(session: session, subscription: subscription)
        let old = below
            ? node.anyBelow.updateValue(subscriber, forKey: session.number)
            : node.subscribers.updateValue(subscriber, forKey: session.number)
        return old == nil
    }

    /// Removes a session's subscription; false if there was none.
    mutating func remove(_ filter: String, session: Session) -> Bool {
        let (levels, below) = SubscriptionTree.split(filter)
        guard SubscriptionTree.remove(levels, below: below, session: session.number, from: root) else { return false }
        generation += 1
        return true
    }

    private static func remove(_ levels: ArraySlice<Substring>, below: Bool, session: Int64, from node: Node) -> Bool {
        guard let level = levels.first else {
            let old = below
                ? node.anyBelow.removeValue(forKey: session) : node.subscribers.removeValue(forKey: session)
            return old != nil
        }
        let key = String(level)
        guard let child = node.children[key] else { return false }
        let removed = remove(levels.dropFirst(), below: below, session: session, from: child)
        if child.isEmpty { node.children[key] = nil }
        return removed
    }

    /// Splits a filter at `/`; a last level `#` is taken off and told apart.
    private static func split(_ filter: String) -> (levels: ArraySlice<Substring>, below: Bool) {
        var levels = filter.split(separator: "/", omittingEmptySubsequences: false)[...]
        let below = levels.last == "#"
        if below { levels.removeLast() }
        return (levels, below)
    }

    /// The subscribers of a topic.
    mutating func route(_ topic: UnsafeRawBufferPointer) -> Route {
        let hash = routes.hash(topic)
        if let route = routes.find(topic, hash: hash), route.generation == generation { return route }
        let route = Route(
            topic: Array(topic), hash: hash, generation: generation,
            targets: match(String(decoding: topic, as: UTF8.self)))
        routes.insert(route)
        return route
    }

    private func match(_ topic: String) -> [Target] {
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        var found: [Int64: Target] = [:]
        // [MQTT-4.7.2-1] wildcards at the start do not match topics that begin with `$`.
        SubscriptionTree.collect(root, levels[...], isReserved: topic.utf8.first == UInt8(ascii: "$"), into: &found)
        return found.values.sorted { $0.session.number < $1.session.number }
    }

    private static func collect(
        _ node: Node, _ levels: ArraySlice<Substring>, isReserved: Bool, into found: inout [Int64: Target]
    ) {
        if !isReserved { add(node.anyBelow, to: &found) }
        guard let level = levels.first else {
            add(node.subscribers, to: &found)
            return
        }
        let rest = levels.dropFirst()
        if let child = node.children[String(level)] { collect(child, rest, isReserved: false, into: &found) }
        if !isReserved, let child = node.children["+"] {
            collect(child, rest, isReserved: false, into: &found)
        }
    }

    private static func add(_ subscribers: [Int64: Subscriber], to found: inout [Int64: Target]) {
        for (number, subscriber) in subscribers {
            let subscription = subscriber.subscription
            let identifiers: [UInt32]? = subscription.identifier > 0 ? [subscription.identifier] : nil
            guard var target = found[number] else {
                found[number] = Target(
                    session: subscriber.session, qos: subscription.options.qos,
                    retainAsPublished: subscription.options.retainAsPublished,
                    noLocal: subscription.options.noLocal, subscriptionIdentifiers: identifiers)
                continue
            }
            target.qos = max(target.qos, subscription.options.qos)
            target.retainAsPublished = target.retainAsPublished || subscription.options.retainAsPublished
            target.noLocal = target.noLocal && subscription.options.noLocal
            if let identifiers {
                target.subscriptionIdentifiers = (target.subscriptionIdentifiers ?? []) + identifiers
            }
            found[number] = target
        }
    }
}
