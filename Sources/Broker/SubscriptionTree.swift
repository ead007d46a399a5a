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
    /// Never reused, never 0: decisions about the topic are remembered by it.
    let number: UInt64
    /// Levels of the topic.
    let depth: Int
    let targets: [Target]

    init(topic: [UInt8], hash: UInt64, generation: UInt64, number: UInt64, targets: [Target]) {
        self.topic = topic
        self.hash = hash
        self.generation = generation
        self.number = number
        self.targets = targets
        depth = TopicLevels.depth(topic)
    }
}

struct SubscriptionTree {
    private struct Content: TopicNodeContent {
        /// Subscriptions that end here, and those that go on with `#`.
        var subscribers: [Int64: Subscriber] = [:]
        var anyBelow: [Int64: Subscriber] = [:]

        var isEmpty: Bool { subscribers.isEmpty && anyBelow.isEmpty }
    }

    private typealias Node = TopicNode<Content>

    private struct Subscriber {
        let session: Session
        var subscription: Subscription
    }

    private let root = Node()
    private var routes = RouteTable()
    private(set) var generation: UInt64 = 1
    private var routesMade: UInt64 = 0

    /// Adds or replaces a session's subscription.
    mutating func insert(_ filter: String, _ subscription: Subscription, session: Session) {
        generation += 1
        let (levels, below) = SubscriptionTree.split(filter)
        let node = root.make(levels)
        let subscriber = Subscriber(session: session, subscription: subscription)
        if below {
            node.content.anyBelow[session.number] = subscriber
        } else {
            node.content.subscribers[session.number] = subscriber
        }
    }

    /// What a session may receive has changed.
    mutating func permissionsChanged() { generation += 1 }

    /// Removes a session's subscription, if it has it.
    mutating func remove(_ filter: String, session: Session) {
        let (levels, below) = SubscriptionTree.split(filter)
        let old = root.take(levels) { content in
            below
                ? content.anyBelow.removeValue(forKey: session.number)
                : content.subscribers.removeValue(forKey: session.number)
        }
        if old != nil { generation += 1 }
    }

    /// Splits a filter at `/`; a last level `#` is taken off and told apart.
    private static func split(_ filter: String) -> (levels: ArraySlice<Substring>, below: Bool) {
        var levels = Node.levels(filter)
        let below = levels.last == "#"
        if below { levels.removeLast() }
        return (levels, below)
    }

    /// The subscribers of a topic.
    mutating func route(_ topic: UnsafeRawBufferPointer) -> Route {
        let hash = routes.hash(topic)
        if let route = routes.find(topic, hash: hash), route.generation == generation { return route }
        routesMade += 1
        let route = Route(
            topic: Array(topic), hash: hash, generation: generation, number: routesMade,
            targets: match(String(decoding: topic, as: UTF8.self)))
        routes.insert(route)
        return route
    }

    private func match(_ topic: String) -> [Target] {
        var found: [Int64: Target] = [:]
        // [MQTT-4.7.2-1] wildcards at the start do not match topics that begin with `$`.
        SubscriptionTree.collect(root, Node.levels(topic), isReserved: topic.utf8.first == UInt8(ascii: "$"), into: &found)
        return found.values.filter { $0.session.permissions?.mayReceive(topic) ?? true }
            .sorted { $0.session.number < $1.session.number }
    }

    private static func collect(
        _ node: Node, _ levels: ArraySlice<Substring>, isReserved: Bool, into found: inout [Int64: Target]
    ) {
        if !isReserved { add(node.content.anyBelow, to: &found) }
        guard let level = levels.first else {
            add(node.content.subscribers, to: &found)
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
