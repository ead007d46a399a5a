import ArgumentParser
import Core
import Testing

@testable import martlet

@Suite("Load topics")
struct LoadTopicsTests {
    private func plan(_ scenario: Scenario, _ arguments: [String] = []) throws -> LoadPlan {
        try LoadOptions.parse(arguments).plan(scenario)
    }

    private func text(_ name: UnsafeRawBufferPointer) -> String { String(decoding: name, as: UTF8.self) }

    @Test(
        "a message leads to as many deliveries as there are subscribers whose filter matches its topic",
        arguments: [Scenario.pairs, .fanIn, .fanOut, .wild, .retain, .durable])
    func deliveries(scenario: Scenario) throws {
        let plan = try plan(scenario, ["--publishers", "7", "--messages", "40", "--topics", "3000"])
        let topics = LoadTopics(plan)
        let filters = try (0..<plan.subscribers).map { index in
            try topics.filters(ofSubscriber: index).map { try #require(TopicFilter($0)) }
        }
        for publisher in 0..<plan.publishers {
            for sequence in 0..<plan.messages {
                let topic = topics.topic(publisher: publisher, sequence: sequence)
                let name = text(topics.name(topic))
                let receivers = filters.indices.filter { index in filters[index].contains { $0.matches(name) } }
                #expect(topics.deliveries(topic) == receivers.count)
                #expect(receivers.allSatisfy { topics.isExpected(topic, bySubscriber: $0) })
                if scenario == .pairs { #expect(receivers == [publisher]) }
            }
        }
    }

    @Test("of the subscribers with wildcards 85 % match 10 topics, 10 % 100 and 5 % 1,000")
    func wild() throws {
        let plan = try plan(.wild)
        let topics = LoadTopics(plan)
        var counts: [Int: Int] = [:]
        for subscriber in 0..<plan.subscribers {
            counts[(0..<plan.topics).count { topics.isExpected($0, bySubscriber: subscriber) }, default: 0] += 1
        }
        #expect(counts == [10: 425, 100: 50, 1000: 25])
    }

    @Test("the messages of a topic are as far apart as the order of deliveries is counted")
    func stride() throws {
        let topics = LoadTopics(try plan(.wild, ["--topics", "500"]))
        for sequence in 0..<500 as Range<UInt32> {
            #expect(topics.topic(publisher: 3, sequence: sequence) == topics.topic(publisher: 3, sequence: sequence + 500))
        }
        #expect(Set((0..<500).map { topics.topic(publisher: 3, sequence: $0) }).count == 500)
    }

    @Test("retained messages have a topic each")
    func retained() throws {
        let topics = LoadTopics(try plan(.retain, ["--publishers", "3", "--messages", "150"]))
        let names = (0..<3).flatMap { publisher in
            (0..<150).map { text(topics.name(topics.topic(publisher: publisher, sequence: $0))) }
        }
        #expect(Set(names).count == 450)
    }

    @Test("a shared subscription names its group, and a message is delivered once in each")
    func shared() throws {
        let plan = try plan(.sharedSub, ["--groups", "2"])
        let topics = LoadTopics(plan)
        #expect(topics.filters(ofSubscriber: 3) == ["$share/g1/\(plan.prefix)/shared/t"])
        #expect(topics.deliveries(0) == 2)
    }

    @Test(
        "what cannot be measured is refused",
        arguments: [
            (Scenario.retain, ["--qos", "0"]), (.durable, ["--qos", "0"]), (.pairs, ["--subscribers", "3"]),
            (.wild, ["--topics", "7919"]), (.sharedSub, ["--groups", "11"]), (.retain, ["--messages", "1000000"]),
            (.wild, ["--messages", "1000000"]), (.pairs, ["--payload", "8"]),
        ])
    func refusals(scenario: Scenario, arguments: [String]) {
        #expect(throws: ValidationError.self) { try plan(scenario, arguments) }
    }

    @Test("messages are due evenly, by turns of the publishers")
    func pace() {
        let pace = Pace(startedAt: 1000, step: 50, publishers: 4)
        #expect(pace.due(at: 999) == 0)
        #expect(pace.due(at: 1000) == 1)
        #expect(pace.due(at: 1149) == 3)
        #expect(pace.dueAt(publisher: 2, sequence: 3) == 1000 + 14 * 50)
    }
}
