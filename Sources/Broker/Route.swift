import Core
import MQTTCodec

/// What a subscription gives to each of its deliveries: made once for a target, not for each message.
final class DeliveryOrigin {
    /// nil if none of the subscriptions has one.
    let subscriptionIdentifiers: [UInt32]?
    /// The shared subscription that the delivery stands for, if it does.
    let group: SharedGroup?

    /// nil if there is nothing to say, as for most.
    @inline(__always)
    static func make(subscriptionIdentifiers: [UInt32]?, group: SharedGroup? = nil) -> DeliveryOrigin? {
        if subscriptionIdentifiers == nil, group == nil { return nil }
        return DeliveryOrigin(subscriptionIdentifiers: subscriptionIdentifiers, group: group)
    }

    private init(subscriptionIdentifiers: [UInt32]?, group: SharedGroup?) {
        self.subscriptionIdentifiers = subscriptionIdentifiers
        self.group = group
    }
}

/// A subscriber of one topic, all its matching subscriptions taken together.
struct Target {
    let session: Session
    /// The highest granted of the matching subscriptions [MQTT-3.3.4-2].
    var qos: QoS
    var retainAsPublished: Bool
    /// Every matching subscription has No Local.
    var noLocal: Bool
    /// Of the member of a shared subscription; other subscriptions have been asked when the route was made.
    let hiddenLevel: HiddenLevel
    var origin: DeliveryOrigin?

    init(_ subscriber: Subscriber, group: SharedGroup? = nil) {
        session = subscriber.session
        let subscription = subscriber.subscription
        qos = subscription.options.qos
        retainAsPublished = subscription.options.retainAsPublished
        noLocal = subscription.options.noLocal
        hiddenLevel = subscription.hiddenLevel
        origin = DeliveryOrigin.make(subscriptionIdentifiers: subscription.identifiers, group: group)
    }

    /// Takes another matching subscription of the same session in.
    mutating func merge(_ subscription: Subscription) {
        qos = max(qos, subscription.options.qos)
        retainAsPublished = retainAsPublished || subscription.options.retainAsPublished
        noLocal = noLocal && subscription.options.noLocal
        if let more = subscription.identifiers {
            // [MQTT-3.3.4-3], [MQTT-3.3.4-4] the identifiers of all of them.
            origin = DeliveryOrigin.make(subscriptionIdentifiers: (origin?.subscriptionIdentifiers ?? []) + more)
        }
    }
}

/// Where a topic leads, as found in the tree and kept until a subscription changes it.
final class Route {
    let topic: [UInt8]
    let hash: UInt64
    /// Never reused, never 0: decisions about the topic are remembered by it.
    let number: UInt64
    /// Levels of the topic.
    let depth: Int
    private(set) var targets: [Target]
    /// The shared subscriptions that match: one member of each gets a message.
    private(set) var groups: [SharedGroup]
    /// Whether it still says what the tree says.
    private(set) var isCurrent = true

    init(topic: UnsafeRawBufferPointer, hash: UInt64, number: UInt64, targets: [Target], groups: [SharedGroup]) {
        self.topic = Array(topic)
        self.hash = hash
        self.number = number
        self.targets = targets
        self.groups = groups
        depth = TopicLevels.depth(topic)
    }

    /// Nobody is to be reached by it.
    var leadsNowhere: Bool { targets.isEmpty && groups.isEmpty }

    /// A subscription has changed it: whoever holds it has to look anew, and it holds no session any more.
    func retire() {
        isCurrent = false
        targets = []
        groups = []
    }

    func isOf(_ topic: UnsafeRawBufferPointer) -> Bool { self.topic.withUnsafeBytes { $0.hasSameBytes(as: topic) } }
}
