import Core
import MQTTCodec
import Testing

@testable import Bridge

@Suite("Marks of a sent message")
struct SentMessageTests {
    /// The names of the user properties that a message is sent with.
    private func marks(isBackfill: Bool, isTimeUncertain: Bool, canMark: Bool = true) -> [String] {
        var backfill = BridgeConfiguration.Backfill()
        backfill.marks = true
        var sent = SentMessage()
        let message = Message.create(topic: "t", payload: [1], qos: .atLeastOnce, publishedAt: Timestamp(milliseconds: .max))
        let made = sent.make(
            of: message, sequence: .max, isBackfill: isBackfill, isTimeUncertain: isTimeUncertain, backfill, canMark: canMark)
        #expect(made.propertiesLength <= SentMessage.markBytes)
        return made.withProperties { bytes in
            // 0x26, then name and value, each behind its length (MQTT 5.0 §2.2.2.2).
            var names: [String] = []
            var rest = Array(bytes)[...]
            func text() -> String {
                let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
                let text = rest.dropFirst(2).prefix(length)
                rest = rest.dropFirst(2 + length)
                return String(decoding: text, as: UTF8.self)
            }
            while rest.popFirst() == 0x26 {
                names.append(text())
                _ = text()
            }
            return names
        }
    }

    @Test("a message whose time is uncertain says so, another does not")
    func uncertain() {
        #expect(marks(isBackfill: false, isTimeUncertain: false) == ["martlet-time", "martlet-sequence"])
        #expect(marks(isBackfill: false, isTimeUncertain: true) == ["martlet-time", "martlet-time-uncertain", "martlet-sequence"])
        #expect(marks(isBackfill: true, isTimeUncertain: true).count == 4)
    }

    @Test("there are no marks where the protocol has no user properties")
    func none() {
        #expect(marks(isBackfill: true, isTimeUncertain: true, canMark: false).isEmpty)
    }
}
