import ArgumentParser

/// Who publishes to whom, or what else is measured.
enum Scenario: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Publisher i to subscriber i, each pair with its own topic.
    case pairs
    /// Every publisher with its own topic; every subscriber subscribes to each of them.
    case fanIn = "fan-in"
    /// One topic for all.
    case fanOut = "fan-out"
    /// Many topics; subscribers with wildcards that match 10, 100 or 1,000 of them.
    case wild
    /// One topic; the subscribers of a group share its messages.
    case sharedSub = "shared-sub"
    /// Retained messages, each with its own topic, then subscribers that get all of them.
    case retain
    /// Messages for subscribers that are away, which come back and get them.
    case durable
    /// Connections that do nothing.
    case conn
    /// Connect, subscribe, disconnect.
    case storm
    /// Until the broker answers.
    case probe

    /// Whether messages are stored first and delivered afterwards.
    var isStored: Bool { self == .retain || self == .durable }
}
