import Broker
import Core
import Logging
import MQTTClient
import MQTTCodec
import NIOCore

// The connection: made, accepted, lost.

extension Bridge: UpstreamOwner {
    /// Starts an attempt. Its outcome is `upstreamConnected` or `upstreamClosed`.
    func connect() {
        attempt += 1
        let attempt = self.attempt
        let server = server
        logger.debug("connecting", metadata: ["server": "\(server.place)"])
        UpstreamBootstrap.prepare(configuration, server: server, eventLoop: eventLoop).and(prepareKept()).assumeIsolated().whenComplete {
            result in
            guard attempt == self.attempt, !self.isStopped else { return }
            switch result {
            case .success((let ready, ())):
                self.open(ready, attempt: attempt)
            case .failure(let error):
                self.upstreamClosed(error as? UpstreamFailure ?? .connection(.unreachable(ClientEndpoint.text(error))))
            }
        }
    }

    private func open(_ ready: UpstreamBootstrap.Ready, attempt: UInt64) {
        for warning in ready.warnings where !upstream.warnings.contains(warning) {
            logger.warning("connection to the upstream", metadata: ["detail": "\(warning)"])
        }
        upstream.warnings = ready.warnings
        let connection: UpstreamConnection<Bridge>
        do throws(FormError) {
            connection = try makeConnection(password: ready.password)
        } catch {
            return upstreamClosed(.form(error.description))
        }
        openChannel(connection, ready.endpoint).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                if attempt != self.attempt || self.isStopped { channel.close(promise: nil) }
            case .failure(let error):
                guard attempt == self.attempt, !self.isStopped else { return }
                self.upstreamClosed(.connection(.unreachable(ClientEndpoint.text(error))))
            }
        }
    }

    /// The connection that the next channel carries.
    func makeConnection(password: [UInt8]?) throws(FormError) -> UpstreamConnection<Bridge> {
        var properties = Properties()
        if configuration.version == .v5 {
            properties.sessionExpiryInterval = configuration.sessionExpiryInterval
            properties.receiveMaximum = max(1, configuration.receiveMaximum)
            properties.maximumPacketSize = UInt32(clamping: configuration.maximumPacketSize)
        }
        var packet = ConnectPacket(
            version: configuration.version, clientIdentifier: configuration.clientIdentifier, cleanStart: false,
            keepAlive: configuration.keepAlive,
            will: configuration.will.map { Will(topic: $0.topic, payload: $0.payload, qos: $0.qos, retain: $0.retain) },
            userName: configuration.userName, password: password, properties: properties)
        packet.isBridge =
            configuration.version < .v5 && configuration.usesBridgeBit && form == nil
            && !upstream.serversWithoutBridgeBit.contains(upstream.servers.current)
        upstream.isBridgeBitAsked = packet.isBridge
        try form?.prepare(&packet, secret: password, now: moment)
        let connection = UpstreamConnection(
            packet: packet, answerTimeout: configuration.connectTimeout,
            maximumPacketSize: configuration.maximumPacketSize, owner: self)
        self.connection = connection
        return connection
    }

    func upstreamConnectSent() { form?.connectSent() }

    func upstreamConnected(_ packet: ConnackPacket) {
        let now = environment.monotonicTime()
        reconnection.connected(now: now)
        upstream.forgetFailures()
        counts.connections &+= 1
        isRetainAvailable = packet.properties.retainAvailable ?? true
        logger.notice(
            "connected",
            metadata: ["server": "\(server.place)", "session-present": "\(packet.sessionPresent)", "depth": "\(waitingMessages)"])
        upstream.isBridgeBitAsked = false
        upstream.servers.connected(now: now, returnToFirst: configuration.returnToFirst)
        upstream.isBirthDue = true
        if !packet.sessionPresent || receiving == nil || upstream.acceptedBy != upstream.servers.current {
            attachReceiving(resumes: packet.sessionPresent)
            isSubscribed = false
        }
        upstream.acceptedBy = upstream.servers.current
        let reserve = configuration.backfill.marks || configuration.backfill.mapping != nil ? SentMessage.markBytes : 0
        let link = BridgeLane.Link(
            version: configuration.version, isResumed: packet.sessionPresent,
            receiveMaximum: Int(packet.properties.receiveMaximum ?? .max),
            maximumPacketSize: packet.properties.maximumPacketSize.map { max(1, Int($0) - reserve) } ?? .max)
        self.link = link
        refusals.connected()
        backfillMeter = BackfillMeter(configuration.backfill, now: now)
        for index in routes.indices { routes[index].connected(link, now: now) }
        startForm(sessionPresent: packet.sessionPresent)
        subscribe()
        announceBirth(isAnswered: isSubscribed || configuration.receives.isEmpty)
        pump()
    }

    /// Subscribes to what is to come in, unless the upstream is known to have our subscriptions: a repeated SUBSCRIBE would
    /// bring the retained messages again.
    private func subscribe() {
        guard !isSubscribed, !configuration.receives.isEmpty else { return }
        let packet = SubscribePacket(
            packetIdentifier: Bridge.ownIdentifier,
            requests: configuration.receives.map { route in
                // [MQTT-3.8.3-3] No Local keeps away what this bridge itself has sent.
                let options = SubscriptionOptions(
                    qos: route.qos, noLocal: configuration.version == .v5,
                    retainAsPublished: configuration.version == .v5,
                    retainHandling: configuration.version == .v5 ? .sendIfNew : .sendAtSubscribe)
                return SubscribePacket.Request(filter: route.filter.text, options: options)
            })
        send(packet)
    }

    /// The one that the lane gives to no message: for SUBSCRIBE, and when that is answered for what the bridge says of
    /// itself.
    static let ownIdentifier: UInt16 = 65_535

    /// The form's part of a new connection: its subscriptions, then what it has to say.
    private func startForm(sessionPresent: Bool) {
        guard let form else { return }
        carryOut(form.connected(sessionPresent: sessionPresent, now: moment))
        let requests = form.subscriptions
        hasFormStarted = requests.isEmpty
        if !requests.isEmpty { send(SubscribePacket(packetIdentifier: Bridge.formSubscribeIdentifier, requests: requests)) }
    }

    /// What a form subscribes to later.
    func subscribe(to requests: [SubscribePacket.Request]) {
        guard connection != nil else { return }
        formSubscriptions.add(requests)
        sendFormSubscriptions()
    }

    private func sendFormSubscriptions() {
        while let packet = formSubscriptions.next() {
            // Nobody answers what is not sent.
            if !send(packet) { _ = formSubscriptions.answered(packet.packetIdentifier) }
        }
    }

    @discardableResult
    private func send(_ packet: SubscribePacket) -> Bool {
        guard let connection else { return false }
        do throws(EncodeError) {
            try connection.send(packet)
            return true
        } catch {
            logger.error("cannot subscribe", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// For the form's subscriptions at the start of a connection.
    static let formSubscribeIdentifier: UInt16 = 65_534

    func upstreamSubscribed(_ packet: SubackPacket) {
        switch packet.packetIdentifier {
        case Bridge.ownIdentifier:
            ownSubscribed(packet)
        case Bridge.formSubscribeIdentifier:
            guard let form, !hasFormStarted else { return }
            logRefused(form.subscriptions, packet)
            hasFormStarted = true
            carryOut(form.subscribed(now: moment))
            pump()
        default:
            guard let requests = formSubscriptions.answered(packet.packetIdentifier) else {
                counts.unexpectedAcknowledgements &+= 1
                return
            }
            logRefused(requests, packet)
            sendFormSubscriptions()
            connection?.flush()
        }
    }

    private func logRefused(_ requests: [SubscribePacket.Request], _ packet: SubackPacket) {
        for (request, code) in zip(requests, packet.reasonCodes) where code.isError {
            logger.error("subscription refused", metadata: ["filter": "\(request.filter)", "reason": "\(code)"])
        }
    }

    private func ownSubscribed(_ packet: SubackPacket) {
        isSubscribed = true
        for (route, code) in zip(configuration.receives, packet.reasonCodes) where code.isError {
            isSubscribed = false
            logger.error(
                "subscription refused",
                metadata: ["filter": "\(route.filter)", "reason": "\(code)"])
        }
        // Also where a filter was refused: the identifier is free now.
        announceBirth(isAnswered: true)
    }

    func upstreamAcknowledged(_ packet: AcknowledgementPacket) {
        if packet.packetIdentifier == Bridge.ownIdentifier { return }
        if formInFlight.remove(packet.packetIdentifier) != nil { return }
        let now = environment.monotonicTime()
        let searched = searched
        for index in routes.indices {
            guard let answer = routes[index].puback(packet, now: now) else { continue }
            switch answer {
            case .arrived:
                if let searched { searchAfterAnswer(to: searched) }
            case .postponed: break
            case .skipped(let topic):
                lastSkippedTopic = topic
                if let searched { searchAfterAnswer(to: searched) }
            case .unexpected: counts.unexpectedAcknowledgements &+= 1
            }
            return
        }
        counts.unexpectedAcknowledgements &+= 1
    }

    func upstreamTurn() {
        // Acknowledgements that wait for nothing in the broker's outbox.
        if !owed.isEmpty { sendAcknowledgements() }
        pump()
        environment.scheduleTurn()
    }

    /// Forgets the connection and what was under way on it.
    func connectionLost() {
        connection = nil
        link = nil
        formInFlight.removeAll()
        formSubscriptions = FormSubscriptions()
        hasFormStarted = false
        form?.disconnected()
        for index in routes.indices { routes[index].disconnected() }
    }

    func upstreamClosed(_ failure: UpstreamFailure) {
        let failure = link == nil && connection?.version == .v5 ? failure.ofVersion5 : failure
        let wasAccepted = link != nil
        let refused = searchAfterEnd(failure, now: environment.monotonicTime())
        connectionLost()
        if let refused { skip(refused) }
        guard !isStopped, !triesWithoutBridgeBit(after: failure) else { return }
        let said = wasAccepted ? failure : failure.advised(server, hasForm: form != nil)
        // Each is said once, then quietly until there is a connection again.
        let level: Logger.Level = upstream.isNew(said) ? .warning : .debug
        if failure != .returning {
            lastFailure = (said, environment.monotonicTime())
            logger.log(level: level, "not connected", metadata: ["server": "\(server.place)", "error": "\(said)"])
        }
        reconnect(after: failure, now: environment.monotonicTime())
    }
}
