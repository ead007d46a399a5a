import Console
import Testing

@Suite("Percent encoding")
struct PercentEncodingTests {
    @Test("any text survives the way through a query", arguments: ["", "cloud/5#1", "a b+c", "100 % & more=x?", "süd/9#2", "%2F"])
    func roundTrip(text: String) {
        let encoded = PercentEncoding.encoded(text)
        #expect(encoded.utf8.allSatisfy { $0 > 32 && $0 < 127 && !"&=#/+? ".utf8.contains($0) })
        #expect(PercentEncoding.decoded(encoded) == text)
    }

    @Test("what is no escape stays as it is", arguments: [("%", "%"), ("%2", "%2"), ("%zz", "%zz"), ("a+b", "a b"), ("%41", "A")])
    func broken(text: String, expected: String) { #expect(PercentEncoding.decoded(text) == expected) }
}
