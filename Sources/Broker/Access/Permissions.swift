public import Core

/// What a client does with a topic.
public struct AccessActions: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let publish = AccessActions(rawValue: 1)
    public static let subscribe = AccessActions(rawValue: 2)
    public static let receive = AccessActions(rawValue: 4)
    public static let all: AccessActions = [.publish, .subscribe, .receive]
}

/// What one client may do: the rules that apply to it, in their order, with its own names filled in.
///
/// The first rule decides whose actions and topic fit; if none does, the default.
///
/// Belongs to the broker's event loop: it remembers decisions.
public final class Permissions {
    public struct Rule: Sendable, Hashable {
        public var allows: Bool
        public var actions: AccessActions
        /// nil for any topic, also one that begins with `$`.
        public var filter: TopicFilter?

        public init(allows: Bool, actions: AccessActions, filter: TopicFilter?) {
            self.allows = allows
            self.actions = actions
            self.filter = filter
        }
    }

    public let rules: [Rule]
    /// What is decided where no rule fits.
    public let allowsOther: Bool
    /// Decisions about publishing by the number of the route.
    private var publishDecisions: [UInt64: Bool] = [:]
    private static let maximumDecisions = 1_024

    public init(rules: [Rule], allowsOther: Bool) {
        self.rules = rules
        self.allowsOther = allowsOther
    }

    public func mayPublish(_ topic: String) -> Bool {
        var topic = topic
        return topic.withUTF8 { mayPublish(UnsafeRawBufferPointer($0)) }
    }

    /// - Parameter topic: a valid topic.
    public func mayPublish(_ topic: UnsafeRawBufferPointer) -> Bool { decide(.publish, topic) ?? allowsOther }

    /// As ``mayPublish(_:)``, remembered for as long as the topic's route lives.
    func mayPublish(_ topic: UnsafeRawBufferPointer, route number: UInt64) -> Bool {
        if let known = publishDecisions[number] { return known }
        let decision = mayPublish(topic)
        if publishDecisions.count >= Permissions.maximumDecisions { publishDecisions.removeAll() }
        publishDecisions[number] = decision
        return decision
    }

    /// Whether a message on this topic may be delivered. Where no rule speaks of receiving, what may be subscribed to may
    /// be received.
    public func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool {
        decide(.receive, topic) ?? decide(.subscribe, topic) ?? allowsOther
    }

    public func mayReceive(_ topic: String) -> Bool {
        var topic = topic
        return topic.withUTF8 { mayReceive(UnsafeRawBufferPointer($0)) }
    }

    private func decide(_ action: AccessActions, _ topic: UnsafeRawBufferPointer) -> Bool? {
        for rule in rules where rule.actions.contains(action) {
            guard let filter = rule.filter else { return rule.allows }
            if filter.matches(topic) { return rule.allows }
        }
        return nil
    }

    /// Whether every topic of the filter may be subscribed to: a rule that allows must cover it whole, and none that denies
    /// and stands before that one may have a topic in common with it.
    ///
    /// - Parameter filter: a valid filter; of a shared subscription with or without its `$share/…/`.
    public func maySubscribe(_ filter: String) -> Bool {
        let filter = Permissions.withoutShare(filter)
        for rule in rules where rule.actions.contains(.subscribe) {
            guard let pattern = rule.filter?.text else { return rule.allows }
            if rule.allows {
                if FilterCoverage.covers(pattern, filter) { return true }
            } else if FilterCoverage.overlaps(pattern, filter) {
                return false
            }
        }
        return allowsOther
    }

    /// The filter of `$share/{ShareName}/{filter}` (MQTT 5.0 §4.8.2).
    private static func withoutShare(_ filter: String) -> String {
        guard filter.hasPrefix("$share/") else { return filter }
        let parts = filter.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count == 3 && !parts[2].isEmpty ? String(parts[2]) : filter
    }

    /// Whether both decide alike.
    func isEqual(to other: Permissions) -> Bool {
        self === other || (allowsOther == other.allowsOther && rules == other.rules)
    }
}
