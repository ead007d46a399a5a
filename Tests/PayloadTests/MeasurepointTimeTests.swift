import Core
import Payload
import Testing

@Suite("Corrected source time")
struct MeasurepointTimeTests {
    private static let correction: Int64 = 1_790_000_000_000

    private func corrected(_ text: String, publishedAt: Int64 = 6000, by correction: Int64 = correction) -> String? {
        var scanner = JSONScanner()
        let published = Timestamp(milliseconds: publishedAt &+ correction)
        return Array(text.utf8).withUnsafeBytes {
            MeasurepointTime.corrected($0, publishedAt: published, by: correction, scanner: &scanner)
        }.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("the time of the post is moved, the rest stays byte for byte")
    func moved() {
        let post = #"{ "id":"7","params" : {"measurepoints":{"Temp":{"value":1.50,"quality":0},"time":3},"time": 5000 },"method":"m"}"#
        let expected = #"{ "id":"7","params" : {"measurepoints":{"Temp":{"value":1.50,"quality":0},"time":3},"time": 1790000005000 },"method":"m"}"#
        #expect(corrected(post) == expected)
    }

    @Test("a time that is not the box's stays: it was right, or is older than an hour or newer than its post", arguments: [
        1_790_000_005_000, -3_600_000 + 5000, 6000 + 61_000,
    ])
    func others(time: Int64) {
        #expect(corrected(#"{"params":{"time":\#(time)}}"#) == nil)
    }

    @Test("what has no whole time, or is no post at all, stays", arguments: [
        "", "{", "[]", "7", "{}", #"{"params":{}}"#, #"{"params":7}"#, #"{"time":5000}"#, #"{"params":{"time":"5000"}}"#,
        #"{"params":{"time":5000.5}}"#, #"{"params":{"time":5e3}}"#, #"{"params":{"time":99999999999999999999}}"#,
    ])
    func nothing(text: String) {
        #expect(corrected(text) == nil)
    }

    @Test("no correction changes nothing, and one beyond all times is no trap", arguments: [0, .max])
    func extremes(correction: Int64) {
        #expect(corrected(#"{"params":{"time":5000}}"#, by: correction) == nil)
    }
}
