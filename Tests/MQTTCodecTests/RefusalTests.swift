import Core
import MQTTCodec
import Testing

/// Packets that the standards forbid, with the reason code that they give for it: 0x81 for what cannot be parsed, 0x82
/// for what was parsed and is not allowed, others where the rule names them.
@Suite("Refusals")
struct RefusalTests {
    @Test("CONNECT against the rules is refused with the rule's reason code", arguments: Refusal.connect)
    func connect(line: Refusal) { expect(line) }

    @Test("PUBLISH against the rules is refused with the rule's reason code", arguments: Refusal.publish)
    func publish(line: Refusal) { expect(line) }

    @Test("other packets against the rules are refused with the rule's reason code", arguments: Refusal.others)
    func others(line: Refusal) { expect(line) }

    private func expect(_ line: Refusal) {
        let decoded = Decoded(line.bytes, version: line.version)
        #expect(decoded.error?.reasonCode == line.reasonCode, "\(line.rule): \(decoded)")
    }
}

extension Refusal {
    static let connect: [Refusal] = [
        .init("[MQTT-3.1.2-1] name", .v5, 0x10, "00 04 'MQTT' 06 02 0000 00 0000", .unsupportedProtocolVersion),
        .init("[MQTT-3.1.2-1] name", .v5, 0x10, "00 04 'MQTS' 05 02 0000 00 0000", .unsupportedProtocolVersion),
        .init("[MQTT-3.1.2-1] case", .v5, 0x10, "00 04 'mqtt' 05 02 0000 00 0000", .unsupportedProtocolVersion),
        .init("[MQTT-3.1.2-2 v3.1.1] level 3 as MQTT", .v311, 0x10, "00 04 'MQTT' 03 02 0000 0001 'a'", .unsupportedProtocolVersion),
        .init("[MQTT-3.1.2-2 v3.1.1] level 4 as MQIsdp", .v31, 0x10, "00 06 'MQIsdp' 04 02 0000 0001 'a'", .unsupportedProtocolVersion),
        .init("no level", .v5, 0x10, "00 04 'MQTT'", .malformedPacket),
        .init("name cut off", .v5, 0x10, "00 05 'MQTT'", .malformedPacket),
        .init("no flags", .v5, 0x10, "00 04 'MQTT' 05", .malformedPacket),
        .init("no keep alive", .v5, 0x10, "00 04 'MQTT' 05 02 00", .malformedPacket),
        .init("[MQTT-3.1.2-3] reserved flag", .v5, 0x10, "00 04 'MQTT' 05 03 0000 00 0000", .malformedPacket),
        .init("MQTT-3.1.2-3 reserved flag", .v311, 0x10, "00 04 'MQTT' 04 03 0000 0000", .malformedPacket),
        .init("[MQTT-3.1.2-11] will QoS without will", .v5, 0x10, "00 04 'MQTT' 05 0A 0000 00 0000", .malformedPacket),
        .init("[MQTT-3.1.2-12] will QoS 3", .v5, 0x10, "00 04 'MQTT' 05 1E 0000 00 0000 00 0001 'w' 0000", .malformedPacket),
        .init("[MQTT-3.1.2-13] will retain without will", .v5, 0x10, "00 04 'MQTT' 05 22 0000 00 0000", .malformedPacket),
        .init("[MQTT-3.1.2-22 v3.1.1] password alone", .v311, 0x10, "00 04 'MQTT' 04 42 0000 0000 0001 'p'", .malformedPacket),
        .init("[MQTT-3.1.3-8 v3.1.1] empty identifier", .v311, 0x10, "00 04 'MQTT' 04 00 0000 0000", .clientIdentifierNotValid),
        .init("empty identifier", .v31, 0x10, "00 06 'MQIsdp' 03 02 0000 0000", .clientIdentifierNotValid),
        .init("[MQTT-3.1.3-4] identifier not UTF-8", .v5, 0x10, "00 04 'MQTT' 05 02 0000 00 0001 FF", .malformedPacket),
        .init("[MQTT-1.5.4-2] identifier with U+0000", .v5, 0x10, "00 04 'MQTT' 05 02 0000 00 0001 00", .malformedPacket),
        .init("identifier cut off", .v5, 0x10, "00 04 'MQTT' 05 02 0000 00 0002 'a'", .malformedPacket),
        .init("will topic with wildcard", .v5, 0x10, "00 04 'MQTT' 05 06 0000 00 0000 00 0001 '#' 0000", .malformedPacket),
        .init("will topic empty", .v311, 0x10, "00 04 'MQTT' 04 06 0000 0001 'c' 0000 0000", .malformedPacket),
        .init("will missing", .v5, 0x10, "00 04 'MQTT' 05 06 0000 00 0000", .malformedPacket),
        .init("user name missing", .v311, 0x10, "00 04 'MQTT' 04 82 0000 0001 'c'", .malformedPacket),
        .init("user name not UTF-8", .v311, 0x10, "00 04 'MQTT' 04 82 0000 0001 'c' 0002 C0 80", .malformedPacket),
        .init("password missing", .v5, 0x10, "00 04 'MQTT' 05 42 0000 00 0000", .malformedPacket),
        .init("surplus bytes", .v5, 0x10, "00 04 'MQTT' 05 02 0000 00 0000 00", .malformedPacket),
        .init("properties missing", .v5, 0x10, "00 04 'MQTT' 05 02 0000", .malformedPacket),
        .init("properties beyond the packet", .v5, 0x10, "00 04 'MQTT' 05 02 0000 7F 0000", .malformedPacket),
        .init("§2.2.2.2 unknown property", .v5, 0x10, "00 04 'MQTT' 05 02 0000 02 7E 00 0000", .malformedPacket),
        .init("§2.2.2.2 property of PUBLISH", .v5, 0x10, "00 04 'MQTT' 05 02 0000 02 01 00 0000", .malformedPacket),
        .init("§2.2.2.2 property of the will", .v5, 0x10, "00 04 'MQTT' 05 02 0000 05 18 00000001 0000", .malformedPacket),
        .init("§3.1.2.11.2 twice", .v5, 0x10, "00 04 'MQTT' 05 02 0000 0A 11 00000001 11 00000001 0000", .protocolError),
        .init("§3.1.2.11.3 receive maximum 0", .v5, 0x10, "00 04 'MQTT' 05 02 0000 03 21 0000 0000", .protocolError),
        .init("§3.1.2.11.4 packet size 0", .v5, 0x10, "00 04 'MQTT' 05 02 0000 05 27 00000000 0000", .protocolError),
        .init("§3.1.2.11.6 neither 0 nor 1", .v5, 0x10, "00 04 'MQTT' 05 02 0000 02 19 02 0000", .protocolError),
        .init("§3.1.2.11.7 neither 0 nor 1", .v5, 0x10, "00 04 'MQTT' 05 02 0000 02 17 02 0000", .protocolError),
        .init("§3.1.2.11.10 data without method", .v5, 0x10, "00 04 'MQTT' 05 02 0000 04 16 0001 AA 0000", .protocolError),
        .init("property ends beyond the list", .v5, 0x10, "00 04 'MQTT' 05 02 0000 02 21 00 0001 'a'", .malformedPacket),
        .init("will delay twice", .v5, 0x10, "00 04 'MQTT' 05 06 0000 00 0000 0A 18 00000001 18 00000001 0001 'w' 0000", .protocolError),
        .init("session expiry in the will", .v5, 0x10, "00 04 'MQTT' 05 06 0000 00 0000 05 11 00000001 0001 'w' 0000", .malformedPacket),
    ]

    static let publish: [Refusal] = [
        .init("no topic", .v311, 0x30, "", .malformedPacket),
        .init("topic cut off", .v311, 0x30, "00 03 'ab'", .malformedPacket),
        .init("[MQTT-4.7.3-1] empty topic", .v311, 0x30, "00 00 'payload'", .malformedPacket),
        .init("§3.3.2.1 empty topic, no alias", .v5, 0x30, "00 00 00 'payload'", .protocolError),
        .init("§3.3.2.1 empty topic, no alias", .v5, 0x30, "00 00 02 01 00 'payload'", .protocolError),
        .init("[MQTT-3.3.2-2] wildcard", .v5, 0x30, "00 05 'a/+/b' 00", .malformedPacket),
        .init("[MQTT-3.3.2-2] wildcard", .v311, 0x30, "00 03 'a/#'", .malformedPacket),
        .init("[MQTT-1.5.4-2] U+0000", .v5, 0x30, "00 05 'to' 00 'ic' 00", .malformedPacket),
        .init("[MQTT-1.5.4-1] surrogate", .v5, 0x30, "00 05 'to' EDA080 00", .malformedPacket),
        .init("[MQTT-3.3.1-4] QoS 3", .v5, 0x36, "00 01 't' 0001 00", .malformedPacket),
        .init("[MQTT-3.3.1-2] DUP with QoS 0", .v5, 0x38, "00 01 't' 00", .malformedPacket),
        .init("[MQTT-2.2.1-3] packet identifier 0", .v5, 0x32, "00 01 't' 0000 00", .protocolError),
        .init("MQTT-2.2.1-3 packet identifier 0", .v311, 0x34, "00 01 't' 0000", .protocolError),
        .init("packet identifier missing", .v311, 0x32, "00 01 't'", .malformedPacket),
        .init("properties missing", .v5, 0x32, "00 01 't' 0001", .malformedPacket),
        .init("properties beyond the packet", .v5, 0x30, "00 01 't' 03 01 01", .malformedPacket),
        .init("[MQTT-1.5.5-1] length in two bytes", .v5, 0x30, "00 01 't' 80 00", .malformedPacket),
        .init("length in five bytes", .v5, 0x30, "00 01 't' 80 80 80 80 01", .malformedPacket),
        .init("payload format 2", .v5, 0x30, "00 01 't' 02 01 02", .protocolError),
        .init("payload format cut off", .v5, 0x30, "00 01 't' 01 01 'p'", .malformedPacket),
        .init("payload format twice", .v5, 0x30, "00 01 't' 04 01 01 01 01", .protocolError),
        .init("expiry cut off", .v5, 0x30, "00 01 't' 03 02 0000 'payload'", .malformedPacket),
        .init("expiry twice", .v5, 0x30, "00 01 't' 0A 02 00000001 02 00000001", .protocolError),
        .init("[MQTT-3.3.2-8] alias 0", .v5, 0x30, "00 01 't' 03 23 0000", .topicAliasInvalid),
        .init("alias twice", .v5, 0x30, "00 01 't' 06 23 0001 23 0002", .protocolError),
        .init("content type twice", .v5, 0x30, "00 01 't' 08 03 0001 'a' 03 0001 'a'", .protocolError),
        .init("[MQTT-3.3.2-19] content type not UTF-8", .v5, 0x30, "00 01 't' 04 03 0001 FF", .malformedPacket),
        .init("[MQTT-3.3.2-14] response topic with wildcard", .v5, 0x30, "00 01 't' 04 08 0001 '#'", .malformedPacket),
        .init("correlation data twice", .v5, 0x30, "00 01 't' 06 09 0000 09 0000", .protocolError),
        .init("correlation data cut off", .v5, 0x30, "00 01 't' 03 09 0001 'payload'", .malformedPacket),
        .init("user property without value", .v5, 0x30, "00 01 't' 04 26 0001 'n'", .malformedPacket),
        .init("user property not UTF-8", .v5, 0x30, "00 01 't' 06 26 0001 'n' 0001 80", .malformedPacket),
        .init("§3.3.2.3.8 subscription identifier 0", .v5, 0x30, "00 01 't' 02 0B 00", .protocolError),
        .init("§2.2.2.2 property of CONNECT", .v5, 0x30, "00 01 't' 05 11 00000001", .malformedPacket),
        .init("§2.2.2.2 unknown property", .v5, 0x30, "00 01 't' 01 00", .malformedPacket),
        .init("§2.2.2.2 identifier of two bytes", .v5, 0x30, "00 01 't' 03 81 00 01", .malformedPacket),
    ]

    static let others: [Refusal] = [
        .init("[MQTT-3.2.2-1] flags of CONNACK", .v5, 0x20, "02 00 00", .malformedPacket),
        .init("[MQTT-3.2.2-6] session present in a refusal", .v5, 0x20, "01 87 00", .protocolError),
        .init("MQTT-3.2.2-4 session present in a refusal", .v311, 0x20, "01 05", .protocolError),
        .init("return code 6", .v311, 0x20, "00 06", .protocolError),
        .init("[MQTT-3.2.2-8] reason code of SUBACK", .v5, 0x20, "00 01 00", .protocolError),
        .init("§3.2.2.3.4 maximum QoS 2", .v5, 0x20, "00 00 02 24 02", .protocolError),
        .init("CONNACK without properties", .v5, 0x20, "00 00", .malformedPacket),
        .init("CONNACK with surplus", .v311, 0x20, "00 00 00", .malformedPacket),
        .init("PUBACK with surplus", .v311, 0x40, "0001 00", .malformedPacket),
        .init("PUBACK cut off", .v311, 0x40, "00", .malformedPacket),
        .init("PUBACK of packet identifier 0", .v311, 0x40, "0000", .protocolError),
        .init("[MQTT-3.4.2-1] reason code", .v5, 0x40, "0001 92", .protocolError),
        .init("[MQTT-3.5.2-1] reason code", .v5, 0x50, "0001 01", .protocolError),
        .init("[MQTT-3.6.2-1] reason code", .v5, 0x62, "0001 10", .protocolError),
        .init("[MQTT-3.7.2-1] reason code", .v5, 0x70, "0001 80", .protocolError),
        .init("reason string twice", .v5, 0x40, "0001 00 08 1F 0001 'a' 1F 0001 'a'", .protocolError),
        .init("PUBACK with another property", .v5, 0x40, "0001 00 03 21 0001", .malformedPacket),
        .init("PUBACK with bytes behind the properties", .v5, 0x40, "0001 00 00 00", .malformedPacket),
        .init("[MQTT-3.8.1-1] flags of SUBSCRIBE", .v5, 0x80, "0001 00 0001 'a' 00", .malformedPacket),
        .init("[MQTT-3.8.3-2] no filter", .v5, 0x82, "0001 00", .protocolError),
        .init("MQTT-3.8.3-3 no filter", .v311, 0x82, "0001", .protocolError),
        .init("SUBSCRIBE with packet identifier 0", .v5, 0x82, "0000 00 0001 'a' 00", .protocolError),
        .init("SUBSCRIBE without options", .v5, 0x82, "0001 00 0001 'a'", .malformedPacket),
        .init("[MQTT-3.8.3-5] reserved bits", .v5, 0x82, "0001 00 0001 'a' 40", .malformedPacket),
        .init("[MQTT-3.8.3-4 v3.1.1] reserved bits", .v311, 0x82, "0001 0001 'a' 04", .malformedPacket),
        .init("§3.8.3.1 QoS 3", .v5, 0x82, "0001 00 0001 'a' 03", .protocolError),
        .init("[MQTT-3.8.3-4 v3.1.1] QoS 3", .v311, 0x82, "0001 0001 'a' 03", .malformedPacket),
        .init("§3.8.3.1 Retain Handling 3", .v5, 0x82, "0001 00 0001 'a' 30", .protocolError),
        .init("[MQTT-3.8.3-4] No Local, shared", .v5, 0x82, "0001 00 000A '$share/g/a' 04", .protocolError),
        .init("[MQTT-3.8.3-1] filter not UTF-8", .v5, 0x82, "0001 00 0001 80 00", .malformedPacket),
        .init("§3.8.2.1.2 identifier 0", .v5, 0x82, "0001 02 0B 00 0001 'a' 00", .protocolError),
        .init("§3.8.2.1.2 identifier twice", .v5, 0x82, "0001 04 0B 01 0B 02 0001 'a' 00", .protocolError),
        .init("SUBACK without codes", .v5, 0x90, "0001 00", .protocolError),
        .init("[MQTT-3.9.3-2] code of SUBACK", .v5, 0x90, "0001 00 03", .protocolError),
        .init("[MQTT-3.9.3-2 v3.1.1] code of SUBACK", .v311, 0x90, "0001 87", .protocolError),
        .init("[MQTT-3.10.3-2] no filter", .v5, 0xA2, "0001 00", .protocolError),
        .init("[MQTT-3.10.3-1] filter not UTF-8", .v5, 0xA2, "0001 00 0001 FF", .malformedPacket),
        .init("UNSUBSCRIBE with a property of SUBSCRIBE", .v5, 0xA2, "0001 02 0B 01 0001 'a'", .malformedPacket),
        .init("[MQTT-3.11.3-2] code of UNSUBACK", .v5, 0xB0, "0001 00 01", .protocolError),
        .init("UNSUBACK with codes", .v311, 0xB0, "0001 00", .malformedPacket),
        .init("PINGREQ with content", .v5, 0xC0, "00", .malformedPacket),
        .init("PINGRESP with content", .v311, 0xD0, "00", .malformedPacket),
        .init("[MQTT-3.14.2-1] code of DISCONNECT", .v5, 0xE0, "85", .protocolError),
        .init("DISCONNECT with content", .v311, 0xE0, "00", .malformedPacket),
        .init("DISCONNECT, expiry twice", .v5, 0xE0, "00 0A 11 00000001 11 00000001", .protocolError),
        .init("[MQTT-3.15.2-1] code of AUTH", .v5, 0xF0, "87 00", .protocolError),
        .init("§3.15.2.2.2 no method", .v5, 0xF0, "18 00", .protocolError),
        .init("AUTH is of MQTT 5.0", .v311, 0xF0, "", .malformedPacket),
    ]
}
