import Broker
import Core
import MQTTClient
import MQTTCodec

// Upstream messages on their way in.

extension Bridge {
    /// The client for what comes in from the present server, with nothing owed. It has a session for each server, on disk as
    /// well, as long as the upstream keeps one: so a message of QoS 2 is known again after a crash.
    ///
    /// - Parameter resumes: the upstream goes on with its session. Else packet identifiers mean new messages.
    func attachReceiving(resumes: Bool) {
        if let receiving {
            broker.connectionLost(receiving, now: environment.monotonicTime(), wall: environment.wallTime())
        }
        let client = ReceivingClient(bridge: self)
        broker.attach(
            client, identifier: "$bridge/\(configuration.name)/receive/\(server.place)",
            expiryInterval: configuration.version == .v5 ? configuration.sessionExpiryInterval : .max, resumes: resumes)
        receiving = client
        owed.removeAll()
    }

    func upstreamPublished(_ view: PublishView, _ body: UnsafeRawBufferPointer) {
        guard let receiving else { return }
        if let form, let effects = form.received(
            topic: UnsafeRawBufferPointer(rebasing: body[view.topic]),
            payload: UnsafeRawBufferPointer(rebasing: body[view.payload]), now: moment)
        {
            carryOut(effects)
            if view.qos != .atMostOnce {
                let packet = AcknowledgementPacket(packetIdentifier: view.packetIdentifier)
                owed.append(.known(view.qos == .atLeastOnce ? .puback : .pubrec, packet, attempt: attempt))
            }
            return
        }
        guard let (topic, route) = local(UnsafeRawBufferPointer(rebasing: body[view.topic])) else {
            counts.unmapped &+= 1
            if view.qos != .atMostOnce {
                let packet = AcknowledgementPacket(packetIdentifier: view.packetIdentifier)
                owed.append(.known(view.qos == .atLeastOnce ? .puback : .pubrec, packet, attempt: attempt))
            }
            return
        }
        counts.received &+= 1
        if view.qos != .atMostOnce { owed.append(.byBroker(attempt: attempt)) }
        if let run = view.forwardedProperties {
            publish(view, body, topic, route, properties: UnsafeRawBufferPointer(rebasing: body[run]), from: receiving)
        } else {
            var run: [UInt8] = []
            view.appendForwardedProperties(of: body, to: &run)
            run.withUnsafeBytes { publish(view, body, topic, route, properties: $0, from: receiving) }
        }
    }

    private func publish(
        _ view: PublishView, _ body: UnsafeRawBufferPointer, _ topic: [UInt8], _ route: BridgeConfiguration.Receive,
        properties: UnsafeRawBufferPointer, from client: ReceivingClient
    ) {
        topic.withUnsafeBytes { topic in
            let publish = Broker.Publish(
                topic: topic, properties: properties, payload: UnsafeRawBufferPointer(rebasing: body[view.payload]),
                qos: view.qos, retain: view.retain && route.keepsRetain, packetIdentifier: view.packetIdentifier,
                messageExpiryInterval: view.messageExpiryInterval)
            broker.publish(publish, from: client, now: environment.monotonicTime(), wall: environment.wallTime())
        }
    }

    /// What an upstream topic is called here, by the first route that knows, and that route; nil if none does.
    private func local(_ topic: UnsafeRawBufferPointer) -> (topic: [UInt8], route: BridgeConfiguration.Receive)? {
        for route in configuration.receives where route.filter.matches(topic) {
            // Deeper than the local broker takes counts as having no name: it would end the client.
            if route.mapping.map(topic, into: &receivedTopic),
                receivedTopic.lazy.filter({ $0 == UInt8(ascii: "/") }).count < broker.limits.maximumTopicLevels
            {
                return (receivedTopic, route)
            }
        }
        return nil
    }

    func upstreamReleased(_ packet: AcknowledgementPacket) {
        guard let receiving else { return }
        owed.append(.byBroker(attempt: attempt))
        broker.pubrel(packet, from: receiving)
    }

    /// The receiving client's outbox has grown: what is safe is acknowledged upstream, in the order in which it came.
    func sendAcknowledgements() {
        guard let receiving else { return }
        while let first = owed.first {
            switch first {
            case .known(let type, let packet, let attempt):
                send(packet, type: type, attempt: attempt)
            case .byBroker(let attempt):
                guard let outbound = receiving.popOutbound() else {
                    connection?.flush()
                    return
                }
                switch outbound {
                case .puback(let packet): send(packet, type: .puback, attempt: attempt)
                case .pubrec(let packet): send(packet, type: .pubrec, attempt: attempt)
                case .pubcomp(let packet): send(packet, type: .pubcomp, attempt: attempt)
                default:
                    // The broker has given the client up; its session stays, with the identifiers that are not released.
                    attachReceiving(resumes: true)
                    connection?.close(.backlogged)
                    return
                }
            }
            if owed.isEmpty { break }
            owed.removeFirst()
        }
        connection?.flush()
    }

    /// What was owed on an earlier connection is not sent on this one: the upstream sends the message again.
    private func send(_ packet: AcknowledgementPacket, type: PacketType, attempt: UInt64) {
        guard attempt == self.attempt, let connection else { return }
        if packet.reasonCode == .quotaExceeded {
            // Not taken here. The upstream keeps the message if it is not answered.
            connection.close(.backlogged)
        } else {
            connection.send(packet, type: type)
        }
    }
}
