import Configuration
import Testing

@Suite("A port of an address")
struct NetworkPlaceTests {
    private func covers(_ one: String, _ other: String, port: Int = 1883) -> Bool {
        NetworkPlace(address: one, port: 1883).covers(NetworkPlace(address: other, port: port))
    }

    @Test("covers itself, and all addresses cover each")
    func covers() {
        for (one, other) in [
            ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::", "0.0.0.0"), ("::", "192.0.2.1"), ("::", "::"),
            ("0.0.0.0", "::ffff:192.0.2.1"), ("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8::1", "2001:DB8:0::1"),
        ] {
            #expect(covers(one, other), "\(one) \(other)")
        }
    }

    @Test("covers no other one")
    func others() {
        for (one, other) in [
            ("127.0.0.1", "0.0.0.0"), ("127.0.0.1", "127.0.0.2"), ("::1", "127.0.0.1"), ("0.0.0.0", "::1"), ("0.0.0.0", "::"),
        ] {
            #expect(!covers(one, other), "\(one) \(other)")
        }
        #expect(!covers("0.0.0.0", "0.0.0.0", port: 1884))
    }

    @Test("is written as a URL has it")
    func text() {
        #expect(NetworkPlace(address: "0.0.0.0", port: 1).description == "0.0.0.0:1")
        #expect(NetworkPlace(address: "::", port: 1).description == "[::]:1")
    }
}
