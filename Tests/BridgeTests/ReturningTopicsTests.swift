import Core
import Testing

@testable import Bridge

@Suite("Returning topics")
struct ReturningTopicsTests {
    private func topics(_ configure: (inout BridgeConfiguration) throws -> Void) rethrows -> ReturningTopics {
        var bridge = BridgeConfiguration(name: "b", host: "h", clientIdentifier: "c")
        try configure(&bridge)
        return ReturningTopics([bridge])
    }

    private func contains(_ topics: ReturningTopics, _ topic: String) -> Bool {
        Array(topic.utf8).withUnsafeBytes { topics.contains($0) }
    }

    @Test("a topic is one when it goes up under a name that the same bridge receives")
    func names() throws {
        let sent = try #require(TopicFilter("/sys/#"))
        let received = try #require(TopicFilter("site/7/sys/+/+/thing/service/#"))
        let topics = try topics { bridge in
            bridge.forwards = [.init(filter: sent, mapping: try .replacing(nil, with: "site/7", in: sent))]
            bridge.receives = [.init(filter: received)]
        }
        #expect(contains(topics, "/sys/meter/m1/thing/service/set"))
        #expect(!contains(topics, "/sys/meter/m1/thing/event/property/post"))
        #expect(!contains(topics, "site/7/sys/meter/m1/thing/service/set"))
    }

    @Test("there is none where a bridge has one direction only")
    func oneWay() throws {
        let all = try #require(TopicFilter("#"))
        #expect(topics { $0.forwards = [.init(filter: all)] }.isEmpty)
        #expect(topics { $0.receives = [.init(filter: all)] }.isEmpty)
    }
}
