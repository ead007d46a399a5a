import Core
import Testing

@Suite("Message")
struct MessageTests {
    @Test("a message keeps topic, properties and payload apart in one run of bytes")
    func layout() {
        let message = "a/b".withUTF8Bytes { topic in
            [UInt8]([1, 1]).withUnsafeBytes { properties in
                [UInt8]([9, 8, 7]).withUnsafeBytes { payload in
                    Message.create(
                        topic: topic, properties: properties, payload: payload, qos: .atLeastOnce, retain: true,
                        publisher: 7, publishedAt: Timestamp(milliseconds: 5))
                }
            }
        }
        #expect(message.topic == "a/b")
        #expect(message.payload == [9, 8, 7])
        #expect(message.withProperties { Array($0) } == [1, 1])
        #expect(message.withUnsafeBytes { Array($0) } == [0, 3, 0x61, 0x2F, 0x62, 1, 1, 9, 8, 7])
        #expect(message.byteCount == 8)
        #expect(message.qos == .atLeastOnce && message.retain && message.publisher == 7)
    }

    @Test("a message may have an empty payload")
    func emptyPayload() {
        let message = Message.create(topic: "t", payload: [], qos: .atMostOnce, publishedAt: Timestamp(milliseconds: 0))
        #expect(message.payload.isEmpty)
    }
}

extension String {
    fileprivate func withUTF8Bytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        var copy = self
        return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
