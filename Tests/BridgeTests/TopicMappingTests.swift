import Bridge
import Core
import Testing

@Suite("TopicMapping")
struct TopicMappingTests {
    private func topic(_ text: String) throws -> TopicName { try #require(TopicName(text)) }
    private func filter(_ text: String) throws -> TopicFilter { try #require(TopicFilter(text)) }

    @Test("a prefix is put in front byte for byte, and removing it gives the topic back")
    func prefixRoundTrip() throws {
        let up = try TopicMapping.replacing(nil, with: "site/7", in: filter("/sys/#"))
        let down = try TopicMapping.replacing("site/7", with: nil, in: filter("site/7/sys/#"))
        let there = try #require(up(topic("/sys/meter/m1")))
        #expect(there.text == "site/7/sys/meter/m1")
        #expect(down(there)?.text == "/sys/meter/m1")
    }

    @Test("a prefix that ends in / keeps its / when removed")
    func prefixWithSlash() throws {
        let up = try TopicMapping.replacing(nil, with: "site/7/", in: filter("alarms/#"))
        let down = try TopicMapping.replacing("site/7/", with: nil, in: filter("site/7/alarms/#"))
        #expect(up(try topic("alarms/hot"))?.text == "site/7/alarms/hot")
        #expect(down(try topic("site/7/alarms/hot"))?.text == "alarms/hot")
    }

    @Test("a prefix that would melt two levels into one is refused")
    func joinedLevels() throws {
        let alarms = try filter("alarms/#")
        #expect(throws: BridgeError.levelsJoined(prefix: "site/7", filter: "alarms/#")) {
            try TopicMapping.replacing(nil, with: "site/7", in: alarms)
        }
    }

    @Test("a prefix to remove that the filter does not start with is refused", arguments: ["site/70/#", "other/#", "#"])
    func foreignPrefix(text: String) throws {
        let received = try filter(text)
        #expect(throws: BridgeError.self) { try TopicMapping.replacing("site/7", with: nil, in: received) }
    }

    @Test("a prefix is removed only at the end of a level, and something has to be left")
    func removedAtLevel() throws {
        let down = try TopicMapping.replacing("site/7", with: nil, in: filter("site/7/#"))
        #expect(down(try topic("site/7")) == nil)
        #expect(down(try topic("site/70/a")) == nil)
        #expect(down(try topic("site/7/"))?.text == "/")
    }

    @Test("one prefix takes the place of another")
    func replacement() throws {
        let mapping = try TopicMapping.replacing("site/7", with: "plant", in: filter("site/7/sys/#"))
        #expect(mapping(try topic("site/7/sys/a"))?.text == "plant/sys/a")
    }

    @Test("a template takes levels of the topic, counted from 1 without the empty one before a leading slash")
    func template() throws {
        let mapping = try TopicMapping.template("up/${topic[2]}/${topic[3]}/data/${topic[-1]}")
        #expect(mapping(try topic("/sys/meter/m1/thing"))?.text == "up/meter/m1/data/thing")
        #expect(mapping(try topic("sys/meter/m1/thing"))?.text == "up/meter/m1/data/thing")
    }

    @Test("a template whose level the topic does not have gives no name")
    func missingLevel() throws {
        let mapping = try TopicMapping.template("up/${topic[5]}")
        #expect(mapping(try topic("a/b")) == nil)
        // An empty level makes an empty topic.
        #expect(try TopicMapping.template("${topic[2]}")(topic("a//b")) == nil)
    }

    @Test(
        "a template that is no template is refused",
        arguments: ["", "a/${topic}", "a/${topic[x]}", "a/${topic[0]}", "a/${topic[1]", "a/+/${topic[1]}", "a/#"])
    func badTemplate(text: String) {
        #expect(throws: BridgeError.self) { try TopicMapping.template(text) }
    }

    @Test("a result longer than 65,535 bytes is no name")
    func tooLong() throws {
        let mapping = try TopicMapping.replacing(nil, with: "p/", in: filter("#"))
        #expect(mapping(try topic(String(repeating: "a", count: 65_533))) != nil)
        #expect(mapping(try topic(String(repeating: "a", count: 65_534))) == nil)
    }
}
