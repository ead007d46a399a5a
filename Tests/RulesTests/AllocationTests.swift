import CAllocationCount
import Core
import Rules
import Testing

@Suite("Memory of an evaluation", .enabled(if: martlet_counts_allocations()))
struct AllocationTests {
    /// Allocations of 10,000 evaluations, after a few that make the context large enough.
    private func allocations(_ sql: String, _ payload: String = devicePost, expecting expected: Outcome) throws -> UInt64 {
        let program = try RuleProgram(sql: sql)
        var context = EvaluationContext()
        var output: [UInt8] = []
        let topic = Array(deviceTopic.utf8)
        var other = 0
        return topic.withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                func evaluate(_ count: Int) {
                    for _ in 0..<count {
                        let outcome = program.evaluate(
                            topic: topic, payload: payload, publishedAt: Timestamp(milliseconds: 1), context: &context,
                            output: &output)
                        if outcome != expected { other += 1 }
                    }
                }
                evaluate(3)
                let before = martlet_allocation_count()
                evaluate(10_000)
                let after = martlet_allocation_count()
                #expect(other == 0)
                return after - before
            }
        }
    }

    @Test("the count sees an allocation")
    func counts() {
        let before = martlet_allocation_count()
        let array = [UInt8](repeating: 0, count: Int.random(in: 1000...2000))
        #expect(martlet_allocation_count() > before)
        #expect(array.count >= 1000)
    }

    @Test("a message that does not match allocates nothing", arguments: [
        "SELECT measurepoints.temp AS t FROM 'x' WHERE t > 70", "SELECT * FROM 'x' WHERE measurepoints.none = 1",
        "SELECT * FROM 'x' WHERE lower(measurepoints.state) || topic(2) || measurepoints.temp LIKE '%x%'",
        "SELECT * FROM 'x' WHERE CASE WHEN measurepoints.count IN (1, 2) THEN 1 WHEN now() % 2 = 0 THEN 1 END = 1",
        "SELECT * FROM 'x' WHERE replace(measurepoints.state, 'u', 'oo') = 'x' OR timestamp() = '' OR quality(measurepoints.temp) < 5",
        "SELECT * FROM 'x' WHERE round(sqrt(power(measurepoints.temp, 2)), 1) <> 61.5 OR length(substr(payload(), 1, 5)) > 5",
    ])
    func noMatch(sql: String) throws {
        #expect(try allocations(sql, expecting: .noMatch) == 0)
    }

    @Test("nor does one with escaped or long texts")
    func unusual() throws {
        let sql = "SELECT a FROM 'x' WHERE a || b > 'z'"
        #expect(try allocations(sql, #"{"a":"\u0041\n","b":12345.678e-3}"#, expecting: .noMatch) == 0)
        #expect(try allocations(sql, #"{"a":"\#(String(repeating: "y", count: 10_000))","b":1}"#, expecting: .noMatch) == 0)
    }
}
