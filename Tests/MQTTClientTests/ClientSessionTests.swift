import Core
import MQTTClient
import MQTTCodec
import Testing

@Suite("ClientSession")
struct ClientSessionTests {
    private func connack(sessionPresent: Bool = false, receiveMaximum: UInt16? = nil) -> ConnackPacket {
        var properties = Properties()
        properties.receiveMaximum = receiveMaximum
        return ConnackPacket(sessionPresent: sessionPresent, reasonCode: .success, properties: properties)
    }

    @Test("a message of QoS 0 is used, one of QoS 1 each time that it comes")
    func lowerQoS() {
        var session = ClientSession(window: 1)
        #expect(session.receive(qos: .atMostOnce, packetIdentifier: 0) == .use(answer: nil))
        #expect(session.receive(qos: .atLeastOnce, packetIdentifier: 5) == .use(answer: .puback))
        #expect(session.receive(qos: .atLeastOnce, packetIdentifier: 5) == .use(answer: .puback))
    }

    @Test("[MQTT-4.3.3-10] a message of QoS 2 is used once until it is released")
    func exactlyOnce() {
        var session = ClientSession(window: 1)
        #expect(session.receive(qos: .exactlyOnce, packetIdentifier: 5) == .use(answer: .pubrec))
        #expect(session.receive(qos: .exactlyOnce, packetIdentifier: 5) == .known(answer: .pubrec))
        #expect(session.release(AcknowledgementPacket(packetIdentifier: 5)).reasonCode == .success)
        #expect(session.receive(qos: .exactlyOnce, packetIdentifier: 5) == .use(answer: .pubrec))
        #expect(session.release(AcknowledgementPacket(packetIdentifier: 6)).reasonCode == .packetIdentifierNotFound)
    }

    @Test("what was received and not released is known as long as the session is", arguments: [true, false])
    func resumed(sessionPresent: Bool) {
        var session = ClientSession(window: 1)
        _ = session.receive(qos: .exactlyOnce, packetIdentifier: 5)
        session.connected(connack(sessionPresent: sessionPresent), window: 1)
        let expected: ClientSession.Reception = sessionPresent ? .known(answer: .pubrec) : .use(answer: .pubrec)
        #expect(session.receive(qos: .exactlyOnce, packetIdentifier: 5) == expected)
    }

    @Test("[MQTT-3.3.4-7] no more is sent than the server's Receive Maximum")
    func receiveMaximum() {
        var session = ClientSession(window: 10)
        session.connected(connack(receiveMaximum: 2), window: 10)
        let sent = [QoS.atLeastOnce, .exactlyOnce, .atLeastOnce].map { session.send($0) }
        #expect(sent[0] != nil && sent[1] != nil && sent[2] == nil)
    }

    @Test("each filter gets its answer, whichever comes first, and no identifier is one of a message")
    func requests() throws {
        var session = ClientSession(window: ClientSession.maximumWindow)
        let first = session.request(["a", "b"])
        let second = session.request(["c"])
        #expect(first != second && Int(min(first, second)) > ClientSession.maximumWindow)
        #expect(!session.isSettled)
        let found = session.answer(SubackPacket(packetIdentifier: second, reasonCodes: [.grantedQoS1]))
        let answer = try #require(found)
        #expect(answer.map(\.filter) == ["c"] && answer.map(\.reasonCode) == [.grantedQoS1])
        #expect(session.answer(SubackPacket(packetIdentifier: first, reasonCodes: [.success])) == nil)
        #expect(session.answer(SubackPacket(packetIdentifier: first, reasonCodes: [.success, .success])) == nil)
        #expect(session.isSettled)
    }

    @Test("before MQTT 5.0 an UNSUBACK has no codes")
    func unsuback() throws {
        var session = ClientSession(window: 1)
        let identifier = session.request(["a", "b"])
        let found = session.answer(SubackPacket(packetIdentifier: identifier, reasonCodes: []))
        let answer = try #require(found)
        #expect(answer.map(\.reasonCode) == [.success, .success])
    }
}
