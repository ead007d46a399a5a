import Core
import Testing

@Suite("Topic names and filters")
struct TopicFilterTests {
    @Test("a filter matches the topics that MQTT 5.0 §4.7 says it does", arguments: [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true),
        ("#", "a/b", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/monitor", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("a/b", "a/b", true),
        ("a/b", "a/bc", false),
        ("a/bc", "a/b", false),
        ("a/b/", "a/b", false),
        ("a//b", "a//b", true),
        ("a/+/b", "a//b", true),
        ("+/+/#", "a", false),
        ("+/#", "a", true),
    ])
    func matches(filter: String, topic: String, expected: Bool) throws {
        #expect(try #require(TopicFilter(filter)).matches(topic) == expected)
    }

    @Test("a filter with a misplaced wildcard is refused", arguments: ["", "a#", "a/#/b", "a+", "+a/b", "#/", "a\u{0}b"])
    func refusesFilter(text: String) {
        #expect(TopicFilter(text) == nil)
    }

    @Test("a topic name has no wildcard", arguments: ["", "a/+", "#", "a\u{0}"])
    func refusesTopic(text: String) {
        #expect(TopicName(text) == nil)
    }
}
