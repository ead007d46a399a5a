import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

// The packets other than PUBLISH. None of them may be larger than the client's Maximum Packet Size [MQTT-3.1.2-24]. Reason
// Strings are what can be left out, and User Properties are never added [MQTT-3.2.2-20], [MQTT-3.4.2-3], [MQTT-3.5.2-3],
// [MQTT-3.6.2-3], [MQTT-3.7.2-3], [MQTT-3.9.2-2], [MQTT-3.11.2-2], [MQTT-3.14.2-4]. A packet that is too large even so ends
// the connection, because a client that waits for it could not know that it does not come.

extension MQTTConnection {
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    ///
    /// - Returns: whether the connection ends after this; so all of these.
    @inline(__always)
    func encode(_ packet: AcknowledgementPacket, _ type: PacketType, into buffer: inout ByteBuffer) -> Bool {
        if packet.reasonCode.isError || maximumPacketSize < MQTTConnection.smallPacket {
            return encodeCarefully(packet, type, into: &buffer)
        }
        packet.write(type: type, version: version, into: &buffer)
        return false
    }

    /// The bytes of any packet without content of variable length.
    private static var smallPacket: Int { 8 }

    @inline(never)
    private func encodeCarefully(_ packet: AcknowledgementPacket, _ type: PacketType, into buffer: inout ByteBuffer) -> Bool {
        if let cause = packet.quotaCause { log(.notice, "refused a message", cause.explanation) }
        // [MQTT-3.4.2-2], [MQTT-3.5.2-2], [MQTT-3.6.2-2], [MQTT-3.7.2-2] left out where it does not fit.
        if wantsReasonString, let reason = packet.reasonString,
            packet.write(type: type, reasonString: reason, maximumPacketSize: maximumPacketSize, into: &buffer)
        {
            return false
        }
        let start = buffer.writerIndex
        packet.write(type: type, version: version, into: &buffer)
        endIfTooLarge(since: start, in: &buffer)
        return false
    }

    /// SUBACK or UNSUBACK.
    func encode(_ packet: SubackPacket, _ type: PacketType, into buffer: inout ByteBuffer) -> Bool {
        let reason = packet.reasonString
        if let reason, type == .suback { log(.notice, "refused a subscription", reason) }
        // [MQTT-3.9.2-1], [MQTT-3.11.2-1] left out where it does not fit.
        if wantsReasonString, let reason,
            packet.write(type: type, reasonString: reason, maximumPacketSize: maximumPacketSize, into: &buffer)
        {
            return false
        }
        let start = buffer.writerIndex
        if type == .suback {
            packet.write(version: version, into: &buffer)
        } else {
            packet.writeUnsuback(version: version, into: &buffer)
        }
        endIfTooLarge(since: start, in: &buffer)
        return false
    }

    /// CONNACK.
    func encode(_ packet: ConnackPacket, into buffer: inout ByteBuffer) -> Bool {
        let start = buffer.writerIndex
        var packet = packet
        // Before MQTT 5.0 few reasons have a return code; the others get no CONNACK.
        guard (try? packet.write(version: version, into: &buffer)) != nil else { return true }
        if buffer.writerIndex - start > maximumPacketSize, packet.properties.reasonString != nil {
            // [MQTT-3.2.2-19]
            buffer.moveWriterIndex(to: start)
            packet.properties.reasonString = nil
            guard (try? packet.write(version: version, into: &buffer)) != nil else { return true }
        }
        // [MQTT-3.14.0-1] without CONNACK there is no DISCONNECT either.
        return endIfTooLarge(since: start, in: &buffer)
    }

    /// DISCONNECT, as far as it fits. Before MQTT 5.0 a server has none to send.
    func encodeDisconnect(_ reason: ReasonCode, into buffer: inout ByteBuffer) {
        guard version == .v5 else { return }
        // [MQTT-3.14.2-2] a server says no Session Expiry Interval there.
        var packet = DisconnectPacket(reasonCode: reason)
        packet.properties.serverReference = closingServerReference
        packet.properties.reasonString = closingDetail ?? reason.explanation
        // [MQTT-3.14.2-3] first without the Reason String, then without anything.
        for attempt in 0..<3 {
            if attempt == 1 { packet.properties.reasonString = nil }
            if attempt == 2 { packet.properties.serverReference = nil }
            let start = buffer.writerIndex
            let isWritten = (try? packet.write(version: .v5, into: &buffer)) != nil
            if isWritten, buffer.writerIndex - start <= maximumPacketSize { return }
            buffer.moveWriterIndex(to: start)
        }
    }

    /// [MQTT-3.1.2-29] no Reason String to a client that does not want one, other than in CONNACK and DISCONNECT.
    private var wantsReasonString: Bool { version == .v5 && wantsProblemInformation }

    /// Takes a packet back that the client does not take, and gives the connection up; false if it is not too large.
    @discardableResult
    private func endIfTooLarge(since start: Int, in buffer: inout ByteBuffer) -> Bool {
        guard buffer.writerIndex - start > maximumPacketSize else { return false }
        buffer.moveWriterIndex(to: start)
        log(.notice, "closed a connection whose Maximum Packet Size is too small for an answer")
        shared.broker.close(
            self, reason: .packetTooLarge, detail: "an answer would be larger than your Maximum Packet Size",
            now: SystemClock.monotonic(), wall: SystemClock.wall())
        shared.turn()
        return true
    }
}
