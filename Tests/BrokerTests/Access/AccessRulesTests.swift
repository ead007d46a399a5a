import Core
import TestSupport
import Testing

@testable import Broker

/// Whom a rule concerns, and what it says.
@Suite("Access rules")
struct AccessRulesTests {
    private static let somewhere = NetworkAddress(bytes: [192, 0, 2, 7])

    private func subject(
        user: String? = "ann", client: String = "c1", listener: String = "l", address: NetworkAddress? = somewhere
    ) -> AccessSubject {
        AccessSubject(userName: user, clientIdentifier: client, listener: listener, address: address)
    }

    private func rule(
        _ allows: Bool, _ topic: String?, _ actions: AccessActions = .all, change: (inout AccessRule) -> Void = { _ in }
    ) -> AccessRule {
        var rule = AccessRule(allows: allows, actions: actions, topic: topic)
        change(&rule)
        return rule
    }

    private func permissions(
        _ rules: [AccessRule], _ subject: AccessSubject? = nil, default access: DefaultAccess = .deny
    ) -> Permissions {
        AccessRules(rules: rules, defaultAccess: access).permissions(of: subject ?? self.subject())
            ?? Permissions(rules: [], allowsOther: true)
    }

    @Test("the first rule that fits decides")
    func order() {
        let some = permissions([rule(false, "a/secret"), rule(true, "a/#"), rule(false, "a/b"), rule(true, "a/b")])
        #expect(some.mayPublish("a/b"))
        #expect(!some.mayPublish("a/secret"))
        #expect(!some.mayPublish("b"))
    }

    @Test("a rule speaks of its actions alone")
    func actions() {
        let some = permissions([rule(true, "p", .publish), rule(true, "s", .subscribe), rule(true, "r", .receive)])
        #expect(some.mayPublish("p") && !some.maySubscribe("p") && !some.mayReceive("p"))
        #expect(!some.mayPublish("s") && some.maySubscribe("s"))
        #expect(!some.mayPublish("r") && !some.maySubscribe("r") && some.mayReceive("r"))
    }

    @Test("what may be subscribed to may be received, unless a rule of receiving says otherwise")
    func receiving() {
        let some = permissions([rule(false, "a/secret", .receive), rule(true, "a/#", .subscribe)])
        #expect(some.mayReceive("a/b"))
        #expect(!some.mayReceive("a/secret"))
        #expect(!some.mayReceive("b"))
    }

    @Test("each condition has to hold")
    func conditions() {
        let network = NetworkPrefix(bytes: [192, 0, 2, 0], length: 24)
        let rules = [
            rule(true, "#") {
                $0.userName = "ann"
                $0.clientIdentifier = "c1"
                $0.listener = "l"
                $0.addresses = network
            }
        ]
        #expect(permissions(rules).mayPublish("a"))
        #expect(!permissions(rules, subject(user: "bob")).mayPublish("a"))
        #expect(!permissions(rules, subject(user: nil)).mayPublish("a"))
        #expect(!permissions(rules, subject(client: "c2")).mayPublish("a"))
        #expect(!permissions(rules, subject(listener: "m")).mayPublish("a"))
        #expect(!permissions(rules, subject(address: NetworkAddress(bytes: [192, 0, 3, 7]))).mayPublish("a"))
        #expect(!permissions(rules, subject(address: nil)).mayPublish("a"))
    }

    @Test("without rules and default a client on this machine may do everything, another nothing")
    func automatic() {
        let rules = AccessRules(rules: [], defaultAccess: .automatic)
        #expect(rules.permissions(of: subject(address: nil)) == nil)
        #expect(rules.permissions(of: subject(address: NetworkAddress(bytes: [127, 0, 0, 1]))) == nil)
        #expect(rules.permissions(of: subject())?.mayPublish("a") == false)
        #expect(rules.permissions(of: subject())?.maySubscribe("a") == false)
    }

    @Test("with rules and no default what no rule allows is denied on this machine too")
    func automaticWithRules() {
        let rules = AccessRules(rules: [rule(true, "a")], defaultAccess: .automatic)
        let local = rules.permissions(of: subject(address: nil))
        #expect(local?.mayPublish("a") == true)
        #expect(local?.mayPublish("b") == false)
    }

    @Test("a rule without a topic is about all of them, also those of the broker itself")
    func noTopic() {
        let some = permissions([rule(false, nil, .subscribe)], default: .allow)
        #expect(!some.maySubscribe("$SYS/#") && !some.maySubscribe("a"))
        #expect(some.mayPublish("a"))
        let wild = permissions([rule(false, "#", .subscribe)], default: .allow)
        #expect(wild.maySubscribe("$SYS/#") && !wild.maySubscribe("a"))
    }

    // MARK: %c and %u

    @Test("%c and %u are the client's own names")
    func placeholders() {
        let some = permissions([rule(true, "%u/x-%c/%%/%d/#")])
        #expect(some.mayPublish("ann/x-c1/%%/%d/t"))
        #expect(!some.mayPublish("bob/x-c1/%%/%d/t"))
    }

    @Test("a rule with %u does not concern a client without a user name")
    func noUser() {
        #expect(!permissions([rule(true, "u/%u/#")], subject(user: nil)).mayPublish("u//a"))
        #expect(!permissions([rule(true, "u/%u/#")], subject(user: "")).mayPublish("u//a"))
    }

    @Test("a name cannot make a rule wider", arguments: ["+", "#", "a/b", "a+", "x/#", "a\0b", "$SYS"])
    func hostileNames(name: String) {
        for some in [
            permissions([rule(true, "%c/#")], subject(client: name)), permissions([rule(true, "%u/#")], subject(user: name)),
        ] {
            for topic in ["a/b", "other", "x/y", "$SYS/a", name] { #expect(!some.mayPublish(topic)) }
            #expect(!some.maySubscribe("#") && !some.maySubscribe("$SYS/#") && !some.maySubscribe("+/#"))
        }
    }

    @Test("a name cannot escape a rule that denies", arguments: ["+", "a/b", "#"])
    func hostileDenied(name: String) {
        let some = permissions([rule(false, "x/%c/y"), rule(true, "#")], subject(client: name))
        #expect(!some.mayPublish("x/\(name)/y"))
        #expect(some.mayPublish("z/a"))
        #expect(!permissions([rule(false, "%c/y")], subject(client: name), default: .allow).mayPublish("$x"))
    }

    @Test("a name with a placeholder in it is not filled in again")
    func notTwice() {
        let some = permissions([rule(true, "%c/#")], subject(user: "ann", client: "%u"))
        #expect(some.mayPublish("%u/a"))
        #expect(!some.mayPublish("ann/a"))
    }

    // MARK: Subscribing

    @Test("a filter is allowed when a rule covers it and none before it denies a part of it", arguments: [
        ("a/#", true), ("a/b", true), ("a/+/c", true), ("a", true), ("#", false), ("+/b", false), ("secret/x", false),
        ("b/secret/c", false), ("b/+/c", false), ("b/#", false), ("b/x/c", true), ("$share/g/a/b", true),
        ("$share/g/#", false), ("$share/g/secret/x", false), ("$SYS/#", false),
    ])
    func subscribing(filter: String, expected: Bool) {
        let some = permissions([
            rule(false, "secret/#"), rule(true, "a/#"), rule(false, "b/secret/#"), rule(true, "b/+/c"),
            rule(true, "b/x/c"),
        ])
        // What is denied lies within `b/+/c`, which comes after it.
        #expect(some.maySubscribe(filter) == expected)
    }

    @Test("where everything else is allowed, a filter that touches nothing denied is allowed")
    func subscribingByDefault() {
        let some = permissions([rule(false, "a/b/#")], default: .allow)
        #expect(some.maySubscribe("a/+/x") == false)
        #expect(some.maySubscribe("a/c") && some.maySubscribe("b/#") && !some.maySubscribe("#"))
    }

    /// The rules as somebody who reads them would apply them to one topic.
    private static func naive(
        _ rules: [AccessRule], _ subject: AccessSubject, _ action: AccessActions, _ topic: String, default allowed: Bool
    ) -> Bool {
        for rule in rules {
            if let user = rule.userName, user != subject.userName { continue }
            if let client = rule.clientIdentifier, client != subject.clientIdentifier { continue }
            guard rule.actions.contains(action) else { continue }
            guard let pattern = rule.topic else { return rule.allows }
            let filled = pattern.split(separator: "/", omittingEmptySubsequences: false)
                .map { $0 == "%c" ? subject.clientIdentifier : $0 == "%u" ? subject.userName ?? "+no+user+" : String($0) }
            if let filter = TopicFilter(filled.joined(separator: "/")), filter.matches(topic) { return rule.allows }
        }
        return allowed
    }

    @Test("decisions are those of a naive reading of the rules, and no subscription gets a topic that is denied")
    func againstNaive() {
        let topics = FilterCoverageTests.paths(of: ["a", "b", "c1", "$s"], depth: 3)
        let filters = FilterCoverageTests.paths(of: ["a", "b", "+", "#"], depth: 3).filter { TopicFilter($0) != nil }
        let patterns = FilterCoverageTests.paths(of: ["a", "b", "%c", "%u", "+", "#", "$s"], depth: 3)
            .filter { TopicFilter($0.replacing("%c", with: "x").replacing("%u", with: "x")) != nil }
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            let rules = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                rule(.random(using: &random), patterns.randomElement(using: &random), AccessActions(rawValue: .random(in: 1...7, using: &random))) {
                    if Int.random(in: 0..<4, using: &random) == 0 { $0.userName = ["ann", "b"].randomElement(using: &random) }
                    if Int.random(in: 0..<4, using: &random) == 0 { $0.clientIdentifier = ["c1", "a"].randomElement(using: &random) }
                }
            }
            let allowed = Bool.random(using: &random)
            let who = subject(user: ["ann", "b", nil].randomElement(using: &random)!, client: ["c1", "a"].randomElement(using: &random)!)
            let some = permissions(rules, who, default: allowed ? .allow : .deny)
            for topic in topics {
                #expect(some.mayPublish(topic) == Self.naive(rules, who, .publish, topic, default: allowed), "seed \(seed) \(rules) \(topic)")
            }
            for filter in filters where some.maySubscribe(filter) {
                let whole = TopicFilter(filter)!
                let denied = topics.first { whole.matches($0) && !Self.naive(rules, who, .subscribe, $0, default: allowed) }
                #expect(denied == nil, "seed \(seed) \(rules) \(filter)")
            }
        }
    }

    // MARK: Addresses

    @Test("a range of addresses has those with its first bits")
    func ranges() throws {
        let ten = try #require(NetworkPrefix(bytes: [10, 1, 2, 3], length: 8))
        #expect(ten.contains(NetworkAddress(bytes: [10, 255, 0, 1])!))
        #expect(!ten.contains(NetworkAddress(bytes: [11, 1, 2, 3])!))
        let all = try #require(NetworkPrefix(bytes: [0, 0, 0, 0], length: 0))
        #expect(all.contains(NetworkAddress(bytes: [1, 2, 3, 4])!))
        let site: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        #expect(!all.contains(NetworkAddress(bytes: site)!))
        let six = try #require(NetworkPrefix(bytes: site, length: 33))
        #expect(six.contains(NetworkAddress(bytes: site.dropLast() + [9])!))
        #expect(!six.contains(NetworkAddress(bytes: [0x20, 0x01, 0x0D, 0xB8, 0x80] + site.dropFirst(5))!))
        #expect(NetworkPrefix(bytes: [10, 0, 0, 0], length: 33) == nil)
        #expect(NetworkAddress(bytes: [1, 2, 3]) == nil)
        #expect(NetworkPrefix(bytes: [1, 2, 3, 4], length: 32)!.contains(NetworkAddress(bytes: [1, 2, 3, 4])!))
        #expect(!NetworkPrefix(bytes: [1, 2, 3, 4], length: 32)!.contains(NetworkAddress(bytes: [1, 2, 3, 5])!))
    }

    @Test("loopback is told in both versions, and what is mapped into IPv6 is the same address")
    func loopback() {
        let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 127, 0, 0, 1]
        #expect(NetworkAddress(bytes: mapped) == NetworkAddress(bytes: [127, 0, 0, 1]))
        #expect(NetworkAddress(bytes: mapped)!.isLoopback)
        #expect(NetworkAddress(bytes: [UInt8](repeating: 0, count: 15) + [1])!.isLoopback)
        #expect(!NetworkAddress(bytes: [128, 0, 0, 1])!.isLoopback)
        #expect(!NetworkAddress(bytes: [UInt8](repeating: 0, count: 16))!.isLoopback)
    }
}
