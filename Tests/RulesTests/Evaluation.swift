import Core
import Payload
import Rules

/// What rules in these tests read unless they say otherwise.
let devicePost = """
    {"id":"1","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"temp":{"value":61.5,"quality":9},\
    "flow":{"value":null,"quality":0,"reason":"timeout"},"count":7,"state":"run"},"time":1700000000000}}
    """
let deviceTopic = "/sys/meter/m1/thing/measurepoint/post"

func evaluate(
    _ program: RuleProgram, _ payload: [UInt8], topic: String = deviceTopic, context: inout EvaluationContext
) -> (outcome: Outcome, output: String) {
    var output: [UInt8] = []
    let outcome = Array(topic.utf8).withUnsafeBytes { topic in
        payload.withUnsafeBytes { payload in
            program.evaluate(
                topic: topic, payload: payload, publishedAt: Timestamp(milliseconds: 1_700_000_000_123),
                context: &context, output: &output)
        }
    }
    return (outcome, String(decoding: output, as: UTF8.self))
}

func evaluate(
    _ sql: String, _ payload: String = devicePost, topic: String = deviceTopic
) throws -> (outcome: Outcome, output: String) {
    var context = EvaluationContext()
    return evaluate(try RuleProgram(sql: sql), Array(payload.utf8), topic: topic, context: &context)
}

/// The JSON text of an expression's value.
func value(of expression: String, _ payload: String = "{}", topic: String = deviceTopic) throws -> String {
    let (outcome, output) = try evaluate("SELECT \(expression) AS x FROM '#'", payload, topic: topic)
    guard outcome == .matched, output.hasPrefix("{\"x\":"), output.hasSuffix("}") else { return "\(outcome) \(output)" }
    return String(output.dropFirst(5).dropLast())
}
