import Broker
import Core
import Logging
import Rules
import Testing

@testable import Appliance

@Suite("Rules at work")
struct RuleClientTests {
    private let broker = Broker(limits: BrokerLimits(), seed: 1)

    private func rule(_ sql: String, topic: String, qos: QoS = .atMostOnce, retain: Bool = false) throws -> RuleClient {
        let rule = RuleClient(
            CompiledRule(name: "r", program: try RuleProgram(sql: sql), topic: try TopicTemplate(topic), qos: qos, retain: retain),
            broker: broker, logger: Logger(label: "rules") { _ in SwiftLogNoOpLogHandler() })
        rule.start(now: .zero, wall: Timestamp(milliseconds: 0))
        return rule
    }

    @Test("a message that matches gives its result, in the QoS and with the flag of the rule")
    func matching() throws {
        let rule = try rule(
            "SELECT t AS x FROM \"in/+\" WHERE t > 50", topic: "out/${topic[2]}", qos: .atLeastOnce, retain: true)
        let subscriber = Subscriber.attached(to: broker, filter: "out/#")
        broker.publish("in/m1", #"{"t":51,"u":1}"#, qos: .atMostOnce)
        #expect(subscriber.take() == [Subscriber.Received(topic: "out/m1", payload: #"{"x":51}"#, retain: true)])
        #expect(rule.matched == 1)
        #expect(rule.failed == 0)
    }

    @Test("a message that does not match, or goes to another topic, gives nothing")
    func noMatch() throws {
        let rule = try rule("SELECT t FROM \"in/+\" WHERE t > 50", topic: "out")
        let subscriber = Subscriber.attached(to: broker, filter: "out")
        broker.publish("in/m1", #"{"t":50}"#)
        broker.publish("in/m1", #"{"u":51}"#)
        broker.publish("elsewhere", #"{"t":51}"#)
        #expect(subscriber.take() == [])
        #expect(rule.matched == 0)
        #expect(rule.failed == 0)
    }

    @Test("a rule does not see its own result")
    func ownResult() throws {
        let rule = try rule("SELECT t FROM \"#\"", topic: "out")
        let subscriber = Subscriber.attached(to: broker, filter: "out")
        broker.publish("in", #"{"t":1}"#)
        #expect(subscriber.take().count == 1)
        #expect(rule.matched == 1)
    }

    @Test("a rule sees the results of another")
    func chain() throws {
        let first = try rule("SELECT t + 1 AS t FROM \"a\"", topic: "b")
        let second = RuleClient(
            CompiledRule(name: "second", program: try RuleProgram(sql: "SELECT t + 1 AS t FROM \"b\""), topic: try TopicTemplate("c"), qos: .atMostOnce, retain: false),
            broker: broker, logger: Logger(label: "rules") { _ in SwiftLogNoOpLogHandler() })
        second.start(now: .zero, wall: Timestamp(milliseconds: 0))
        let subscriber = Subscriber.attached(to: broker, filter: "c")
        broker.publish("a", #"{"t":1}"#)
        #expect(subscriber.take().map(\.payload) == [#"{"t":3}"#])
        #expect((first.matched, second.matched) == (1, 1))
    }

    @Test("two rules that feed each other are cut off")
    func loop() throws {
        let first = try rule("SELECT t + 1 AS t FROM \"a\"", topic: "b")
        let second = RuleClient(
            CompiledRule(name: "second", program: try RuleProgram(sql: "SELECT t + 1 AS t FROM \"b\""), topic: try TopicTemplate("a"), qos: .atMostOnce, retain: false),
            broker: broker, logger: Logger(label: "rules") { _ in SwiftLogNoOpLogHandler() })
        second.start(now: .zero, wall: Timestamp(milliseconds: 0))
        broker.publish("a", #"{"t":1}"#)
        #expect(first.matched + second.matched == 9)
        #expect(broker.statistics.dropped == 1)
    }

    @Test("a payload that is not JSON is counted and gives nothing")
    func badPayload() throws {
        let rule = try rule("SELECT t FROM \"in\" WHERE t > 1", topic: "out")
        let subscriber = Subscriber.attached(to: broker, filter: "out")
        for payload in ["", "{", "{\"t\":2", "\u{0}"] { broker.publish("in", payload) }
        #expect(subscriber.take() == [])
        #expect(rule.failed == 4)
        #expect(rule.matched == 0)
    }

    @Test("a result whose topic lacks a level is counted and not published")
    func noTopic() throws {
        let rule = try rule("SELECT t FROM \"#\"", topic: "out/${topic[3]}")
        let subscriber = Subscriber.attached(to: broker, filter: "out/#")
        broker.publish("a/b", #"{"t":1}"#)
        #expect(subscriber.take() == [])
        #expect(rule.failed == 1)
    }

    @Test("a retained message from before the rule is not evaluated")
    func retained() throws {
        broker.publish("in", #"{"t":1}"#, retain: true)
        let rule = try rule("SELECT t FROM \"in\"", topic: "out")
        broker.flush()
        #expect(rule.matched == 0)
    }
}
