import Core
import MQTTCodec
import TestSupport
import Testing

@testable import Broker

/// The tree of subscriptions and its routes against what the rules of §4.7 say filter by filter.
@Suite("Topic tree")
struct TopicTreeTests {
    private static let levels = ["a", "b", "", "$x", "longer-level", "é"]

    @Test("routes are what each filter by itself says, while subscriptions come and go", arguments: 1...20 as ClosedRange<UInt64>)
    func agreesWithFilters(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let account = MemoryAccount()
        var tree = SubscriptionTree()
        let sessions = (1...6).map { Session(number: Int64($0), clientIdentifier: "s\($0)", expiryInterval: 0, account: account) }
        var held: Set<[String]> = []
        for _ in 0..<600 {
            let session = sessions[random.below(sessions.count)]
            let filter = randomFilter(&random)
            if random.once(in: 3) {
                tree.remove(filter, session: session)
                held.remove([session.clientIdentifier, filter])
            } else {
                tree.insert(filter, Subscription(options: SubscriptionOptions(qos: .atMostOnce), identifier: 0), session: session)
                held.insert([session.clientIdentifier, filter])
            }
            let topic = randomTopic(&random)
            let route = topic.withTopicBytes { tree.route($0) }
            let expected = Set(held.filter { TopicFilter($0[1])?.matches(topic) == true }.map { $0[0] })
            #expect(Set(route.targets.map(\.session.clientIdentifier)) == expected, "seed \(seed): \(topic)")
            #expect(route.targets.count == expected.count)
        }
        for entry in held {
            if let session = sessions.first(where: { $0.clientIdentifier == entry[0] }) { tree.remove(entry[1], session: session) }
        }
        #expect("a".withTopicBytes { tree.route($0) }.leadsNowhere)
    }

    private func randomTopic(_ random: inout SeededRandom) -> String {
        let topic = (0...random.below(4)).map { _ in Self.levels[random.below(Self.levels.count)] }.joined(separator: "/")
        return topic.isEmpty ? "a" : topic
    }

    private func randomFilter(_ random: inout SeededRandom) -> String {
        var parts = (0...random.below(4)).map { _ in
            random.once(in: 4) ? "+" : Self.levels[random.below(Self.levels.count)]
        }
        if random.once(in: 4) { parts.append("#") }
        let filter = parts.joined(separator: "/")
        return filter.isEmpty ? "#" : filter
    }

    @Test("many children of a node are found, and gone when they are removed")
    func manyChildren() {
        var retained = RetainedMessages()
        let time = Timestamp(milliseconds: 0)
        for number in 0..<3_000 {
            retained.put(Message.create(topic: "a/\(number)", payload: [1], qos: .atMostOnce, retain: true, publishedAt: time))
        }
        #expect(retained.all.count == 3_000)
        #expect(retained.matching("a/+", now: .zero).count == 3_000)
        for number in stride(from: 0, to: 3_000, by: 2) {
            let isRemoved = "a/\(number)".withTopicBytes { retained.remove($0) }
            #expect(isRemoved)
        }
        for number in 0..<3_000 {
            #expect(("a/\(number)".withTopicBytes { retained.message(of: $0) } != nil) == (number % 2 == 1))
        }
        for number in stride(from: 1, to: 3_000, by: 2) { _ = "a/\(number)".withTopicBytes { retained.remove($0) } }
        #expect(retained.all == RetainedMessages.Tally() && retained.limited == retained.all)
        #expect(retained.matching("#", now: .zero).isEmpty)
    }

    @Test("what the limits do not count stays out of their tally, whatever takes its place")
    func limited() {
        func message(_ topic: String, _ size: Int) -> Message {
            let payload = [UInt8](repeating: 1, count: size)
            return Message.create(topic: topic, payload: payload, qos: .atMostOnce, retain: true, publishedAt: Timestamp(milliseconds: 0))
        }
        var retained = RetainedMessages()
        retained.put(message("a", 9))
        retained.put(message("b", 19), isLimited: false)
        #expect(retained.limited.count == 1 && retained.limited.byteCount == 10)
        #expect(retained.all.count == 2 && retained.all.byteCount == 30)
        retained.put(message("b", 29), isLimited: false)
        retained.put(message("a", 4), isLimited: false)
        #expect(retained.limited == RetainedMessages.Tally() && retained.all.byteCount == 35)
        retained.put(message("b", 1))
        #expect(retained.limited.count == 1 && retained.limited.byteCount == 2)
        for topic in ["a", "b"] { _ = topic.withTopicBytes { retained.remove($0) } }
        #expect(retained.all == RetainedMessages.Tally() && retained.limited == retained.all)
    }

    @Test("a set of packet identifiers is one, few or many", arguments: [10, 60, 70, 1_000, 65_535])
    func packetIdentifiers(count: Int) {
        var random = SeededRandom(seed: UInt64(count))
        var set = PacketIdentifierSet()
        var model: Set<UInt16> = []
        for _ in 0..<(3 * count) {
            let identifier = UInt16(1 + random.below(count))
            if random.once(in: 3) {
                #expect(set.remove(identifier) == (model.remove(identifier) != nil))
            } else {
                set.insert(identifier)
                model.insert(identifier)
            }
        }
        #expect(set.count == model.count)
        #expect(Set(set) == model)
    }
}
