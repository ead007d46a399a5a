import Testing

@testable import martlet

@Suite("Broker URL")
struct BrokerURLTests {
    @Test("all its parts are found")
    func parts() throws {
        let url = try #require(BrokerURL("mqtts://ann:p%40ss%3A@broker.example.com:8884/site/7/+"))
        #expect(url.scheme == .mqtts && url.scheme.usesTLS && !url.scheme.usesWebSocket)
        #expect(url.userName == "ann" && url.password == "p@ss:")
        #expect(url.host == "broker.example.com" && url.port == 8884)
        #expect(url.path == "site/7/+")
    }

    @Test("a host alone is enough")
    func host() throws {
        let url = try #require(BrokerURL("ws://localhost"))
        #expect(url.host == "localhost" && url.port == nil && url.path == nil && url.userName == nil && url.password == nil)
        #expect(url.scheme.usesWebSocket)
    }

    @Test("an IPv6 address stands in brackets")
    func address() throws {
        let url = try #require(BrokerURL("mqtt://[::1]:1884/a"))
        #expect(url.host == "::1" && url.port == 1884 && url.path == "a")
    }

    @Test("an @ behind the first slash belongs to the topic")
    func topicWithAt() throws {
        let url = try #require(BrokerURL("mqtt://host/a@b"))
        #expect(url.host == "host" && url.path == "a@b" && url.userName == nil)
    }

    @Test(
        "what is no such URL is refused",
        arguments: [
            "", "host", "http://host", "mqtt://", "mqtt://host:0", "mqtt://host:70000", "mqtt://host:x", "mqtt://[::1", "mqtt://[::1]x",
            "mqtt://%zz@host", "mqtt://a:%f@host", "mqtt://%ff@host",
        ])
    func refused(text: String) {
        #expect(BrokerURL(text) == nil)
    }
}
