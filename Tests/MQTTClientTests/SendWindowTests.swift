import Core
import MQTTClient
import MQTTCodec
import Testing

@Suite("SendWindow")
struct SendWindowTests {
    private func packet(_ identifier: UInt16, _ reason: ReasonCode = .success) -> AcknowledgementPacket {
        AcknowledgementPacket(packetIdentifier: identifier, reasonCode: reason)
    }

    @Test("there are as many identifiers as the window is large, each of them once")
    func identifiers() {
        var window = SendWindow(size: 3)
        let taken = (0..<3).compactMap { _ in window.take(.atLeastOnce) }
        #expect(Set(taken) == [1, 2, 3])
        #expect(window.take(.atLeastOnce) == nil)
        #expect(window.available == 0 && window.unacknowledged == 3)
    }

    @Test("[MQTT-4.3.2-5] PUBACK frees the identifier")
    func puback() {
        var window = SendWindow(size: 1)
        #expect(window.take(.atLeastOnce) == 1)
        #expect(window.acknowledge(.puback, packet(1)) == .arrived(1))
        #expect(window.take(.atLeastOnce) == 1)
    }

    @Test("[MQTT-4.3.3-8] QoS 2 takes PUBREC and PUBCOMP, and PUBREL is said again for a second PUBREC")
    func exactlyOnce() {
        var window = SendWindow(size: 1)
        _ = window.take(.exactlyOnce)
        #expect(window.acknowledge(.pubcomp, packet(1)) == .unexpected)
        #expect(window.acknowledge(.pubrec, packet(1)) == .release(1))
        #expect(window.acknowledge(.pubrec, packet(1)) == .release(1))
        #expect(window.take(.exactlyOnce) == nil)
        #expect(window.acknowledge(.pubcomp, packet(1)) == .arrived(1))
        #expect(window.unacknowledged == 0)
    }

    @Test("a refusal frees the identifier and needs no PUBREL")
    func refusal() {
        var window = SendWindow(size: 1)
        _ = window.take(.exactlyOnce)
        #expect(window.acknowledge(.pubrec, packet(1, .notAuthorized)) == .refused(1, .notAuthorized))
        _ = window.take(.atLeastOnce)
        #expect(window.acknowledge(.puback, packet(1, .quotaExceeded)) == .refused(1, .quotaExceeded))
        #expect(window.available == 1)
    }

    @Test("an acknowledgement that nothing waits for changes nothing", arguments: [0, 1, 2, 3, 65_535] as [UInt16])
    func unexpected(identifier: UInt16) {
        var window = SendWindow(size: 2)
        for type in [PacketType.puback, .pubrec, .pubcomp] {
            #expect(window.acknowledge(type, packet(identifier)) == .unexpected)
        }
        #expect(window.available == 2)
    }
}
