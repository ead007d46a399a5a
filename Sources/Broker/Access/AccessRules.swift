import Core

/// Whom a rule of access is about: a client as the conditions of ``AccessRule`` see it.
public struct AccessSubject: Sendable, Hashable {
    public var userName: String?
    public var clientIdentifier: String
    public var listener: String
    /// nil for a client of a Unix socket.
    public var address: NetworkAddress?

    public init(userName: String?, clientIdentifier: String, listener: String, address: NetworkAddress?) {
        self.userName = userName
        self.clientIdentifier = clientIdentifier
        self.listener = listener
        self.address = address
    }
}

/// One rule of access: who, what, where, and whether it is allowed. A condition that is nil always holds.
public struct AccessRule: Sendable, Hashable {
    public var allows: Bool
    public var actions: AccessActions
    public var userName: String?
    public var clientIdentifier: String?
    public var listener: String?
    /// A client of a Unix socket has no address: it is in no range.
    public var addresses: NetworkPrefix?
    /// A topic filter in which `%c` stands for the client identifier and `%u` for the user name; nil for any topic.
    public var topic: String?

    public init(allows: Bool, actions: AccessActions = .all, topic: String? = nil) {
        self.allows = allows
        self.actions = actions
        self.topic = topic
    }

    func concerns(_ subject: AccessSubject) -> Bool {
        // By their bytes: to `String` a composed and a decomposed "é" are the same.
        if let userName, !userName.utf8.elementsEqual((subject.userName ?? "").utf8) || subject.userName == nil { return false }
        if let clientIdentifier, !clientIdentifier.utf8.elementsEqual(subject.clientIdentifier.utf8) { return false }
        if let listener, listener != subject.listener { return false }
        if let addresses {
            guard let address = subject.address, addresses.contains(address) else { return false }
        }
        return true
    }

    /// Whether ``topic`` has a `%c` or `%u`.
    var hasPlaceholder: Bool { topic.map { $0.contains("%c") || $0.contains("%u") } ?? false }
}

/// What stands where no rule fits.
public enum DefaultAccess: Sendable, Hashable {
    /// Allowed for clients on this machine if there are no rules, else denied.
    case automatic
    case allow
    case deny
}

/// All rules of access, in their order.
///
/// Belongs to the broker's event loop: clients with the same rules share their ``Permissions``.
public final class AccessRules {
    public let rules: [AccessRule]
    public let defaultAccess: DefaultAccess
    /// By the numbers of the rules that concern a client, for rules without placeholders.
    private var shared: [[Int]: Permissions] = [:]
    private static let maximumShared = 1_024

    public init(rules: [AccessRule], defaultAccess: DefaultAccess) {
        self.rules = rules
        self.defaultAccess = defaultAccess
    }

    /// Whether clients on this machine may do everything, whoever they are.
    public var isTrivial: Bool { rules.isEmpty && defaultAccess != .deny }

    /// What a client may do; nil if everything.
    public func permissions(of subject: AccessSubject) -> Permissions? {
        let allowsOther: Bool
        switch defaultAccess {
        case .automatic: allowsOther = rules.isEmpty && (subject.address?.isLoopback ?? true)
        case .allow: allowsOther = true
        case .deny: allowsOther = false
        }
        let concerned = rules.indices.filter { rules[$0].concerns(subject) }
        if concerned.isEmpty, allowsOther { return nil }
        guard !concerned.contains(where: { rules[$0].hasPlaceholder }) else {
            return Permissions(rules: concerned.compactMap { AccessRules.fill(rules[$0], for: subject) }, allowsOther: allowsOther)
        }
        // With a default that depends on the client there are no rules.
        let key = concerned + (allowsOther ? [-1] : [])
        if let known = shared[key] { return known }
        let permissions = Permissions(
            rules: concerned.compactMap { AccessRules.fill(rules[$0], for: subject) }, allowsOther: allowsOther)
        if shared.count >= AccessRules.maximumShared { shared.removeAll() }
        shared[key] = permissions
        return permissions
    }

    /// The rule with the client's names in the place of `%c` and `%u`; nil if the client has no such name, or one that would
    /// make other topics of the pattern than meant.
    ///
    /// A name with `+`, `#` or `/` in it, an empty one, or one that begins with `$` where the topic begins, fits no rule
    /// that allows. A rule that denies then denies all topics from that level on: it must not be escaped by a name.
    static func fill(_ rule: AccessRule, for subject: AccessSubject) -> Permissions.Rule? {
        guard let topic = rule.topic else { return Permissions.Rule(allows: rule.allows, actions: rule.actions, filter: nil) }
        if topic.contains("%u"), subject.userName == nil { return nil }
        var levels: [String] = []
        for level in topic.split(separator: "/", omittingEmptySubsequences: false) {
            guard let filled = fill(level, isFirst: levels.isEmpty, for: subject) else {
                if rule.allows { return nil }
                levels.append("#")
                break
            }
            levels.append(filled)
        }
        guard let filter = TopicFilter(levels.joined(separator: "/")) else {
            // Longer than a filter may be.
            return rule.allows ? nil : Permissions.Rule(allows: false, actions: rule.actions, filter: nil)
        }
        // `#` alone would leave out the topics that begin with `$`.
        let isWhole = filter.text == "#" && topic != "#"
        return Permissions.Rule(allows: rule.allows, actions: rule.actions, filter: isWhole ? nil : filter)
    }

    private static func fill(_ level: Substring, isFirst: Bool, for subject: AccessSubject) -> String? {
        var result = ""
        var rest = level
        while let percent = rest.firstIndex(of: "%") {
            result += rest[..<percent]
            rest = rest[percent...].dropFirst()
            let name: String?
            switch rest.first {
            case "c": name = subject.clientIdentifier
            case "u": name = subject.userName
            default:
                result += "%"
                continue
            }
            rest = rest.dropFirst()
            guard let name, !name.isEmpty, !name.utf8.contains(where: isSpecial) else { return nil }
            if isFirst, result.isEmpty, name.utf8.first == UInt8(ascii: "$") { return nil }
            result += name
        }
        return result + rest
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") || byte == UInt8(ascii: "/") || byte == 0
    }
}
