import Core
import MQTTCodec
import NIOCore
import Testing

/// What the versions do differently, and what is left open on the wire.
@Suite("Packets")
struct PacketTests {
    private func encoded(_ packet: AnyPacket, _ version: ProtocolVersion) throws -> [UInt8] {
        try packet.encoded(version: version)
    }

    @Test("a CONNECT of MQTT 3.1 may leave out the user name that its flags promise")
    func userNameMissing() throws {
        let decoded = Decoded(packet(0x10, "00 06 'MQIsdp' 03 82 0000 0001 'c'"), version: .v31)
        guard case .connect(let connect) = try #require(decoded.packet) else { throw NotThePacket() }
        #expect(connect.version == .v31 && connect.userName == nil)
    }

    @Test("flags of a will mean nothing in a CONNECT of MQTT 3.1 without one")
    func willFlagsOfOld() throws {
        let decoded = Decoded(packet(0x10, "00 06 'MQIsdp' 03 3B 0000 0001 'c'"), version: .v31)
        guard case .connect(let connect) = try #require(decoded.packet) else { throw NotThePacket() }
        #expect(connect.will == nil && connect.cleanStart)
    }

    @Test("the highest bit of the protocol level says before MQTT 5.0 that a bridge connects, there and back")
    func bridgeBit() throws {
        let bytes = packet(0x10, "00 04 'MQTT' 84 02 0000 0001 'b'")
        guard case .connect(let connect) = try #require(Decoded(bytes, version: .v311).packet) else { throw NotThePacket() }
        #expect(connect.isBridge && connect.version == .v311)
        #expect(try encoded(.connect(connect), .v311) == bytes)
        var five = connect
        five.version = .v5
        #expect(try encoded(.connect(five), .v5)[8] == 5)
    }

    @Test("a CONNECT of MQTT 5.0 may have a password without a user name")
    func passwordAlone() throws {
        let decoded = Decoded(packet(0x10, "00 04 'MQTT' 05 42 0000 00 0000 0001 'p'"), version: .v5)
        guard case .connect(let connect) = try #require(decoded.packet) else { throw NotThePacket() }
        #expect(connect.password == [0x70] && connect.userName == nil && connect.clientIdentifier.isEmpty)
    }

    @Test("the version of a CONNECT is known though the rest is malformed")
    func versionOfMalformed() {
        let body = bytes("00 04 'MQTT' 05 FF")
        #expect(body.withUnsafeBytes { ConnectPacket.version(of: $0) } == .v5)
        #expect([UInt8]().withUnsafeBytes { ConnectPacket.version(of: $0) } == nil)
        #expect(bytes("00 04 'MQTT' 09").withUnsafeBytes { ConnectPacket.version(of: $0) } == nil)
    }

    @Test("the properties of a will to forward keep their order, and its own are taken out")
    func will() throws {
        let will = "0E 01 01 18 00000005 03 0001 'j' 02 00000009"
        let decoded = Decoded(
            packet(0x10, "00 04 'MQTT' 05 2E 000A 00 0001 'c' 10 \(will.dropFirst(2)) 0001 'w' 0001 AA"), version: .v5)
        guard case .connect(let connect) = try #require(decoded.packet) else { throw NotThePacket() }
        let expected = Will(
            topic: "w", payload: [0xAA], qos: .atLeastOnce, retain: true,
            forwardedProperties: bytes("01 01 03 0001 'j'"), delayInterval: 5, messageExpiryInterval: 9)
        #expect(connect.will == expected && connect.keepAlive == 10)
    }

    @Test(
        "CONNACK before MQTT 5.0 says the reason with a return code",
        arguments: [
            (ReasonCode.success, 0), (.unsupportedProtocolVersion, 1), (.clientIdentifierNotValid, 2),
            (.serverUnavailable, 3), (.serverBusy, 3), (.badUserNameOrPassword, 4), (.notAuthorized, 5), (.banned, 5),
        ] as [(ReasonCode, UInt8)])
    func returnCode(reasonCode: ReasonCode, returnCode: UInt8) throws {
        let packet = ConnackPacket(sessionPresent: false, reasonCode: reasonCode)
        #expect(try encoded(.connack(packet), .v311) == [0x20, 2, 0, returnCode])
    }

    @Test("a CONNACK that no return code says is not encoded before MQTT 5.0")
    func noReturnCode() {
        let packet = ConnackPacket(sessionPresent: false, reasonCode: .malformedPacket)
        #expect(throws: EncodeError.notRepresentable) { try encoded(.connack(packet), .v311) }
    }

    @Test("acknowledgements are as short as the version allows")
    func acknowledgements() throws {
        let good = AcknowledgementPacket(packetIdentifier: 0x1234)
        let bad = AcknowledgementPacket(packetIdentifier: 0x1234, reasonCode: .quotaExceeded)
        #expect(try encoded(.acknowledgement(.puback, good), .v5) == bytes("40 02 1234"))
        #expect(try encoded(.acknowledgement(.pubrel, good), .v5) == bytes("62 02 1234"))
        #expect(try encoded(.acknowledgement(.pubrec, bad), .v5) == bytes("50 03 1234 97"))
        #expect(try encoded(.acknowledgement(.pubcomp, bad), .v311) == bytes("70 02 1234"))
    }

    @Test("an acknowledgement with properties is read")
    func acknowledgementProperties() {
        let decoded = Decoded(packet(0x40, "0001 10 0B 1F 0001 'r' 26 0001 'n' 0001 'v'"), version: .v5)
        let expected = AcknowledgementPacket(packetIdentifier: 1, reasonCode: .noMatchingSubscribers)
        #expect(decoded.packet == .acknowledgement(.puback, expected))
    }

    @Test("SUBACK before MQTT 5.0 says every failure as 0x80")
    func subackFailure() throws {
        let packet = SubackPacket(packetIdentifier: 1, reasonCodes: [.grantedQoS2, .notAuthorized])
        #expect(try encoded(.suback(packet), .v311) == bytes("90 04 0001 02 80"))
        #expect(try encoded(.suback(packet), .v5) == bytes("90 05 0001 00 02 87"))
    }

    @Test("a filter's validity is left to the broker")
    func filter() throws {
        let decoded = Decoded(packet(0x82, "0001 0003 'a#b' 01 0000 00"), version: .v311)
        guard case .subscribe(let subscribe) = try #require(decoded.packet) else { throw NotThePacket() }
        #expect(subscribe.requests.map(\.filter) == ["a#b", ""])
    }

    @Test("DISCONNECT and AUTH without content are a success")
    func noContent() throws {
        #expect(Decoded(bytes("E0 00"), version: .v5).packet == .disconnect(DisconnectPacket()))
        #expect(Decoded(bytes("E0 01 04"), version: .v5).packet == .disconnect(.init(reasonCode: .disconnectWithWill)))
        #expect(Decoded(bytes("F0 00"), version: .v5).packet == .auth(AuthPacket(reasonCode: .success)))
        #expect(try encoded(.disconnect(DisconnectPacket()), .v5) == bytes("E0 00"))
        #expect(try encoded(.disconnect(DisconnectPacket(reasonCode: .serverBusy)), .v311) == bytes("E0 00"))
    }

    @Test("pings are two bytes")
    func pings() throws {
        #expect(try encoded(.pingreq, .v5) == bytes("C0 00"))
        #expect(try encoded(.pingresp, .v311) == bytes("D0 00"))
    }

    @Test("a field that its length cannot say is not encoded")
    func fieldTooLong() {
        let text = String(repeating: "a", count: 65_536)
        let packet = UnsubscribePacket(packetIdentifier: 1, filters: [text])
        #expect(throws: EncodeError.fieldTooLong(65_536)) { try encoded(.unsubscribe(packet), .v311) }
        let connect = ConnectPacket(version: .v311, clientIdentifier: text, cleanStart: true, keepAlive: 0)
        #expect(throws: EncodeError.fieldTooLong(65_536)) { try encoded(.connect(connect), .v311) }
    }

    @Test("a property that the packet may not carry is left out")
    func foreignProperty() throws {
        var packet = DisconnectPacket(reasonCode: .serverBusy)
        packet.properties.receiveMaximum = 5
        packet.properties.reasonString = "r"
        #expect(try encoded(.disconnect(packet), .v5) == bytes("E0 06 89 04 1F 0001 'r'"))
    }
}

private struct NotThePacket: Error {}
