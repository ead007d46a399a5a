import Core
import DequeModule
import MQTTCodec
import Store

// While the disk is full and the configuration says so, what would have to wait for it is refused at once.

/// What happens to what needs the disk while it is full.
public enum DiskFullPolicy: Sendable {
    /// It is refused with Quota exceeded, where MQTT has a way to say so; the rest waits.
    case refuse
    /// Its acknowledgement waits until there is space.
    case hold
}

extension Broker {
    /// To be called after each commit: whether it failed because the disk is full.
    public func setDiskFull(_ isFull: Bool) {
        isDiskFull = isFull
        guard refusesToStore else { return }
        for client in gated { refuseWaiting(client) }
    }

    /// Answers the QoS 1 messages whose acknowledgement waits for the disk with Quota exceeded: the publisher would wait
    /// without end. They stay in memory and may be delivered all the same. With QoS 2 that would be a message too many when
    /// the publisher sends it again, so these wait.
    private func refuseWaiting(_ client: Client) {
        guard client.version == .v5, !client.isInternal, !client.awaitsConnack else { return }
        let waiting = client.gated
        client.gated.removeAll()
        for (batch, outbound) in waiting {
            if case .puback(var packet) = outbound {
                packet.reasonCode = .quotaExceeded
                packet.quotaCause = .diskFull
                client.gatedPubacks -= 1
                append(.puback(packet), to: client)
            } else {
                client.gated.append((batch, outbound))
            }
        }
    }

    /// Refuses a QoS 1 message in its turn among the PUBACKs [MQTT-4.6.0-2], which need not wait for other acknowledgements.
    func refuseToStore(_ packetIdentifier: UInt16, from client: Client) {
        refuseWaiting(client)
        let packet = AcknowledgementPacket(
            packetIdentifier: packetIdentifier, reasonCode: .quotaExceeded, quotaCause: .diskFull)
        if client.awaitsConnack {
            acknowledge(.puback(packet), to: client, after: 0)
        } else {
            append(.puback(packet), to: client)
        }
    }

    /// Whether what needs the disk is refused now.
    var refusesToStore: Bool { isDiskFull && limits.whenDiskFull == .refuse }

    /// Whether a message is refused because its acknowledgement would wait for a full disk.
    ///
    /// Before MQTT 5.0 the only way to refuse a message is to end the connection, and the program's own clients can do no
    /// better than wait: theirs are kept in memory. So is what a rule makes of a message, which nobody knows yet.
    func refusesToStore(_ publish: Publish, along route: Route, from client: Client, _ session: Session) -> Bool {
        guard refusesToStore, client.version == .v5, !client.isInternal else { return false }
        return publish.retain || publish.qos == .exactlyOnce && session.isPersistent
            || route.targets.contains(where: Broker.stores)
            || route.groups.contains { $0.members.contains(where: Broker.stores) }
    }

    private static func stores(_ target: Target) -> Bool {
        if let client = target.session.client, client.takesInline { return client.stores }
        return target.qos != .atMostOnce && target.session.isPersistent
    }

    /// Whether a CONNECT is refused because a session would have to be stored, or deleted, on a full disk. A session that
    /// is there already may be taken up: what it delivers makes room.
    func refusesToStore(_ packet: ConnectPacket, old: Session?) -> Bool {
        guard refusesToStore else { return false }
        let isStored = old?.isPersistent ?? false
        let outlives = packet.version == .v5 ? packet.properties.sessionExpiryInterval ?? 0 > 0 : !packet.cleanStart
        return isStored ? packet.cleanStart : outlives && limits.maximumSessionExpiryInterval > 0
    }
}
