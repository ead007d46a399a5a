import Core
import Rules
import Testing

@Suite("Topic templates")
struct TopicTemplateTests {
    private func expand(_ template: String, topic: String = deviceTopic, _ payload: String = devicePost) throws -> String? {
        let template = try TopicTemplate(template)
        var context = EvaluationContext()
        var output: [UInt8] = Array("old".utf8)
        let isExpanded = Array(topic.utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                context.load(topic: topic, payload: payload, publishedAt: Timestamp(milliseconds: 0))
                defer { context.unload() }
                return template.expand(&context, into: &output)
            }
        }
        if !isExpanded { #expect(output.isEmpty) }
        return isExpanded ? String(decoding: output, as: UTF8.self) : nil
    }

    @Test("a template takes levels of the topic and values of the payload", arguments: [
        ("alarms", "alarms"), ("alarms/${topic[2]}/hot", "alarms/meter/hot"), ("${topic[-1]}", "post"),
        ("copy${topic}", "copy/sys/meter/m1/thing/measurepoint/post"), ("a/${payload.measurepoints.state}", "a/run"),
        ("a/${payload.measurepoints.temp}", "a/61.5"), ("a/${payload.measurepoints.count}/b", "a/7/b"), ("a/$${x}", "a/${x}"),
        ("a/${payload.measurepoints.temp.quality}", "a/9"), ("${topic}", deviceTopic), ("a$b/$c", "a$b/$c"),
        ("$x/${topic[1]}", "$x/sys"),
    ])
    func expands(template: String, expected: String) throws {
        #expect(try expand(template) == expected)
    }

    @Test("a message that cannot fill the template has no topic", arguments: [
        ("a/${topic[9]}", "{}"), ("a/${payload.x}", "{}"), ("a/${payload.x}", #"{"x":null}"#), ("a/${payload.x}", #"{"x":[1]}"#),
        ("a/${payload.x}", #"{"x":"b/c"}"#), ("a/${payload.x}", #"{"x":"b+"}"#), ("a/${payload.x}", ##"{"x":"#"}"##),
        ("a/${payload.x}", #"{"x":"\u0000"}"#), ("a/${payload.x}", #"{"x":""}"#), ("${payload.x}/b", #"{"x":"$SYS"}"#),
        ("a/${payload.x}", "not json"),
    ])
    func refuses(template: String, payload: String) throws {
        #expect(try expand(template, payload) == nil)
    }

    private func expand(_ template: String, _ payload: String) throws -> String? {
        try expand(template, topic: deviceTopic, payload)
    }

    @Test("a topic longer than MQTT allows is refused")
    func tooLong() throws {
        let payload = #"{"x":"\#(String(repeating: "x", count: 40_000))"}"#
        #expect(try expand("${payload.x}", payload) != nil)
        #expect(try expand("${payload.x}${payload.x}", payload) == nil)
    }

    @Test("a mistake in a template is told with its column", arguments: [
        ("", 1, "the topic is empty"), ("a/+", 3, "a topic to publish to has no +, # or U+0000"), ("a/${topic", 3, "${ without }"),
        ("a/${tpic}", 5, "expected topic, topic[number] or payload.path between ${ and }, found tpic"),
        ("a/${topic[0]}", 5, "expected topic, topic[number] or payload.path between ${ and }, found topic[0]"),
        ("a/${payload.x y}", 13, "expected } after the path"), ("a/${payload.1}", 13, "expected a name, found 1"),
    ])
    func mistakes(template: String, column: Int, message: String) {
        #expect(throws: RuleError(line: 1, column: column, message: message)) { try TopicTemplate(template) }
    }
}
