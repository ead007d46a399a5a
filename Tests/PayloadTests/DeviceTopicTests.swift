import Core
import Payload
import Testing

@Suite("Device topics")
struct DeviceTopicTests {
    private func parse(_ text: String) -> (topic: DeviceTopic, device: DeviceIdentifier)? {
        Array(text.utf8).withUnsafeBytes { bytes in
            guard let match = DeviceTopic.parse(bytes), let device = match.device(in: bytes) else { return nil }
            return (match.topic, device)
        }
    }

    @Test("a topic that was built is recognised", arguments: DeviceTopic.allCases)
    func roundTrip(topic: DeviceTopic) throws {
        let device = DeviceIdentifier(productKey: "meter", deviceKey: "m-1 é")
        let name = try #require(topic.name(of: device))
        #expect(name.text == "/sys/meter/m-1 é/\(topic.tail)")
        let found = try #require(parse(name.text))
        #expect(found.topic == topic)
        #expect(found.device == device)
        #expect(try #require(TopicFilter(topic.filter)).matches(name))
    }

    @Test("another topic is not recognised", arguments: [
        "", "/", "/sys", "/sys/", "/sys/a", "/sys/a/b", "/sys/a/b/", "/sys//b/thing/measurepoint/post", "/sys/a//thing/measurepoint/post",
        "sys/a/b/thing/measurepoint/post", "/sys/a/b/thing/measurepoint/pos", "/sys/a/b/thing/measurepoint/post/", "/sys/a/b/c/thing/measurepoint/post",
        "/sys/a/b/thing/service/measurepoint/gets", "/ext/session/a/b/thing/measurepoint/post",
    ])
    func others(text: String) {
        #expect(parse(text) == nil)
    }

    @Test("a key that cannot be a topic level makes no topic", arguments: ["", "a/b", "a+", "#", "a\0", String(repeating: "x", count: 256)])
    func keys(key: String) {
        #expect(DeviceTopic.measurepointPost.name(of: DeviceIdentifier(productKey: key, deviceKey: "m1")) == nil)
        #expect(DeviceTopic.measurepointPost.name(of: DeviceIdentifier(productKey: "p", deviceKey: key)) == nil)
    }

    @Test("a request names its reply and its method")
    func replies() {
        #expect(DeviceTopic.measurepointSet.reply == .measurepointSetReply)
        #expect("\(DeviceTopic.measurepointSet.method ?? "")" == "thing.service.measurepoint.set")
        #expect(DeviceTopic.measurepointPost.reply == .measurepointPostReply)
        #expect(DeviceTopic.measurepointPostReply.reply == nil)
    }
}
