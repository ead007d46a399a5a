import Broker
import Core
import Logging
import MQTTCodec
import NIOCore
import Security

/// From the bytes of a client to the broker.
extension MQTTConnection {
    /// Handles the whole packets at the start of `bytes`.
    ///
    /// - Returns: how many bytes they took.
    func process(_ bytes: UnsafeRawBufferPointer, now: MonotonicTime) -> Int {
        let wall = SystemClock.wall()
        touch(at: now)
        var at = 0
        while at < bytes.count, !isPaused {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            switch FrameReader.read(rest, maximumPacketSize: maximumInput, version: version) {
            case .needMoreBytes:
                return at
            case .failure(let error):
                if case .awaitingConnect = phase {
                    refuse(error, version: ConnectPacket.version(ofPacket: rest), of: rest)
                } else {
                    fail(error, now: now, wall: wall)
                }
                return bytes.count
            case .frame(let frame):
                shared.traffic.packetsReceived &+= 1
                let body = UnsafeRawBufferPointer(rebasing: rest[frame.body])
                do throws(DecodeError) {
                    try handle(frame, body, now: now, wall: wall)
                } catch {
                    if case .awaitingConnect = phase {
                        refuse(error, version: nil, of: rest)
                    } else {
                        fail(error, now: now, wall: wall)
                    }
                }
                if isEnded { return bytes.count }
                at += frame.totalLength
            }
        }
        return at
    }

    /// Bytes of the largest packet taken now: little from somebody who has not said who he is.
    private var maximumInput: Int {
        let limit = min(shared.broker.limits.maximumPacketSize, settings.maximumPacketSize)
        switch phase {
        case .awaitingConnect, .authenticating: return min(limit, ServerContext.maximumConnectSize)
        case .connected, .closed: return limit
        }
    }

    /// Whether the broker has given up this connection.
    var isEnded: Bool {
        switch phase {
        case .awaitingConnect, .authenticating: false
        case .connected: session == nil
        case .closed: true
        }
    }

    private func handle(
        _ frame: Frame, _ body: UnsafeRawBufferPointer, now: MonotonicTime, wall: Timestamp
    ) throws(DecodeError) {
        let broker = shared.broker
        guard case .connected = phase else {
            if case .authenticating = phase { return try authenticationGoesOn(frame, body, now: now) }
            // [MQTT-3.1.0-1] the first packet is CONNECT.
            guard frame.type == .connect else { throw MQTTConnection.protocolError("the first packet is not CONNECT") }
            try connect(body, now: now, wall: wall)
            return
        }
        switch frame.type {
        case .publish:
            if let meter, !isWithin(meter, bytes: frame.totalLength, now: now, wall: wall) { return }
            let view = try PublishView.read(body: body, flags: frame.flags, version: version)
            // [MQTT-3.3.4-6] subscription identifiers are for the way to a client only.
            if view.hasSubscriptionIdentifiers { throw MQTTConnection.protocolError("subscription identifier from a client") }
            if let alias = view.topicAlias {
                try publish(view, alias: alias, body, now: now, wall: wall)
            } else {
                publish(view, topic: UnsafeRawBufferPointer(rebasing: body[view.topic]), body, now: now, wall: wall)
            }
            if broker.isBeyondStoreShare(self) {
                pause(.disk)
                broker.hold(self, now: now)
            }
        case .puback:
            broker.puback(try AcknowledgementPacket.read(body: body, type: .puback, version: version), from: self, now: now)
        case .pubrec:
            broker.pubrec(try AcknowledgementPacket.read(body: body, type: .pubrec, version: version), from: self, now: now)
        case .pubrel:
            broker.pubrel(try AcknowledgementPacket.read(body: body, type: .pubrel, version: version), from: self)
        case .pubcomp:
            broker.pubcomp(try AcknowledgementPacket.read(body: body, type: .pubcomp, version: version), from: self, now: now)
        case .subscribe:
            var packet = try SubscribePacket.read(body: body, version: version)
            settings.topicPrefix?.add(to: &packet)
            broker.subscribe(packet, from: self, now: now, wall: wall)
        case .unsubscribe:
            var packet = try UnsubscribePacket.read(body: body, version: version)
            settings.topicPrefix?.add(to: &packet)
            broker.unsubscribe(packet, from: self)
        case .pingreq:
            try Ping.read(body: body)
            broker.ping(from: self)
        case .disconnect:
            let packet = try DisconnectPacket.read(body: body, version: version)
            log(.debug, "disconnected")
            broker.disconnect(self, packet: packet, now: now, wall: wall)
            // What is wrong with it, if anything, is said before the connection ends.
            if case .disconnect? = outbox.last { return }
            end()
        case .connect:
            // [MQTT-3.1.0-2] a second CONNECT; [MQTT-3.2.0-2] it gets no CONNACK.
            throw MQTTConnection.protocolError("second CONNECT")
        case .auth:
            try reauthenticate(try AuthPacket.read(body: body), now: now)
        case .connack, .suback, .unsuback, .pingresp:
            throw MQTTConnection.protocolError("packet type \(frame.type) is not for a server")
        }
    }

    private func connect(
        _ body: UnsafeRawBufferPointer, now: MonotonicTime, wall: Timestamp
    ) throws(DecodeError) {
        var packet: ConnectPacket
        do throws(DecodeError) {
            packet = try ConnectPacket.read(body: body)
            try settings.topicPrefix?.add(to: &packet)
        } catch {
            refuse(error, version: ConnectPacket.version(of: body))
            return
        }
        connectIsSettled()
        if listener.isGone { return end() }
        if let access = shared.access {
            authenticate(packet, access, now: now, wall: wall)
        } else {
            accept(packet, now: now, wall: wall)
        }
    }

    /// The broker decides about a client that is who it says.
    ///
    /// - Parameter authenticationData: what enhanced authentication ended with; nil without a method.
    func accept(_ packet: ConnectPacket, authenticationData: [UInt8]? = nil, now: MonotonicTime, wall: Timestamp) {
        phase = .connected
        if shared.broker.connect(self, packet: packet, authenticationData: authenticationData, now: now, wall: wall) {
            meter = shared.access?.meter(of: self, now: now)
            if topicAliasMaximum > 0 { topicAliases = TopicAliases(maximum: topicAliasMaximum) }
            log(.debug, "connected")
        } else {
            log(.notice, "connection refused", closingDetail ?? "", about: "client identifier \(packet.clientIdentifier.inQuotes)")
            phase = .closed
        }
    }

    /// A PUBLISH whose topic alias is set (with a topic) or used (without).
    private func publish(
        _ view: PublishView, alias: UInt16, _ body: UnsafeRawBufferPointer, now: MonotonicTime, wall: Timestamp
    ) throws(DecodeError) {
        // [MQTT-3.3.2-9], [MQTT-3.3.2-12] every alias up to what we offered, and none above.
        guard alias <= shared.broker.limits.topicAliasMaximum else {
            throw DecodeError(reasonCode: .topicAliasInvalid, reason: "topic alias \(alias) is above the maximum", offset: 0)
        }
        if !view.topic.isEmpty {
            aliases[alias] = Array(body[view.topic])
        } else if aliases[alias] == nil {
            throw MQTTConnection.protocolError("topic alias \(alias) is not set")
        }
        aliases[alias]?.withUnsafeBytes { publish(view, topic: $0, body, now: now, wall: wall) }
    }

    @inline(__always)
    private func publish(
        _ view: PublishView, topic: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, now: MonotonicTime,
        wall: Timestamp
    ) {
        let payload = UnsafeRawBufferPointer(rebasing: body[view.payload])
        shared.traffic.publishesReceived.count(view.qos)
        shared.traffic.publishBytesReceived &+= UInt64(payload.count)
        var publish = Broker.Publish(
            topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload, qos: view.qos,
            retain: view.retain, packetIdentifier: view.packetIdentifier,
            messageExpiryInterval: view.messageExpiryInterval)
        if view.payloadFormatIsUTF8, shared.broker.limits.checksPayloadFormat {
            publish.isPayloadInvalid = !UTF8EncodedString.isValidPayload(payload)
        }
        if let forwarded = view.forwardedProperties {
            publish.properties = UnsafeRawBufferPointer(rebasing: body[forwarded])
            give(publish, now: now, wall: wall)
        } else {
            // Properties of the hop stand between those that travel on.
            scratch.removeAll(keepingCapacity: true)
            view.appendForwardedProperties(of: body, to: &scratch)
            scratch.withUnsafeBytes { properties in
                publish.properties = properties
                give(publish, now: now, wall: wall)
            }
        }
    }

    @inline(__always)
    private func give(_ publish: Broker.Publish, now: MonotonicTime, wall: Timestamp) {
        if let prefix = settings.topicPrefix {
            self.publish(publish, below: prefix, now: now, wall: wall)
        } else {
            shared.broker.publish(publish, from: self, now: now, wall: wall)
        }
    }

    /// What arrived breaks a rule: the client is told as far as its version can be, and the connection ends.
    private func fail(_ error: DecodeError, now: MonotonicTime, wall: Timestamp) {
        switch phase {
        case .awaitingConnect:
            refuse(error, version: nil)
        case .authenticating:
            endAuthentication()
            refuse(error, version: version)
        case .connected:
            log(.notice, "closed a connection that broke the protocol", "\(error)", reason: error.reasonCode)
            // [MQTT-4.13.1-1], [MQTT-4.13.2-1], [MQTT-4.8.0-1 v3.1.1]
            shared.broker.close(self, reason: error.reasonCode, detail: error.reason, now: now, wall: wall)
        case .closed:
            break
        }
    }

    /// The first packet is no CONNECT that can be accepted.
    ///
    /// - Parameters:
    ///   - version: what it asks for; nil if even that cannot be read.
    ///   - bytes: what has come of it.
    private func refuse(_ error: DecodeError, version: ProtocolVersion?, of bytes: UnsafeRawBufferPointer? = nil) {
        let words = bytes.flatMap { ForeignProtocol($0)?.atMQTTPort }
        log(.notice, "refused a connection", words ?? "\(error)", reason: error.reasonCode)
        var buffer = ByteBuffer()
        let packet = ConnackPacket(sessionPresent: false, reasonCode: error.reasonCode)
        // [MQTT-3.1.2-2], [MQTT-3.1.2-2 v3.1.1] a version that we do not speak is told with the return code that all versions know.
        let answers = version ?? (error.reasonCode == .unsupportedProtocolVersion ? .v311 : nil)
        // Before MQTT 5.0 few reasons have a return code; the others get none [MQTT-3.1.4-1 v3.1.1].
        if let answers, let context, (try? packet.write(version: answers, into: &buffer)) != nil {
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        }
        end()
    }

    static func protocolError(_ reason: String) -> DecodeError {
        DecodeError(reasonCode: .protocolError, reason: reason, offset: 0)
    }
}
