public import Core
import DequeModule
public import MQTTCodec
import Store

extension Broker {
    /// A network client sent CONNECT: gives it its session and puts CONNACK into its outbox, accepting or refusing.
    ///
    /// - Parameter authenticationData: what enhanced authentication ended with (MQTT 5.0 §4.12); with it the method of the
    ///   CONNECT counts as carried out.
    /// - Returns: false if it was refused; the connection then ends after its outbox is sent.
    @discardableResult
    public func connect(
        _ client: Client, packet: ConnectPacket, authenticationData: [UInt8]? = nil, now: MonotonicTime, wall: Timestamp
    ) -> Bool {
        noteTime(now, wall)
        client.version = packet.version
        client.touch(at: now)
        client.maximumPacketSize = packet.properties.maximumPacketSize.map(Int.init) ?? .max
        client.isBridge = packet.isBridge
        client.wantsProblemInformation = packet.properties.requestProblemInformation ?? true
        if let redirection = limits.redirection, redirection.occasion != .shutdown {
            let reason: ReasonCode = redirection.occasion == .moved ? .serverMoved : .useAnotherServer
            return refuse(client, packet, reason, serverReference: redirection.serverReference)
        }
        var answer = Properties()
        var clientIdentifier = packet.clientIdentifier
        if clientIdentifier.isEmpty {
            // [MQTT-3.1.3-8 v3.1.1] before MQTT 5.0 an empty identifier needs a clean session.
            guard packet.version == .v5 || packet.cleanStart else {
                return refuse(client, packet, .clientIdentifierNotValid, "without a client identifier the session must be clean")
            }
            // [MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.2.2-16] one that nobody else has, and the client is told.
            clientIdentifier = unusedIdentifier()
            answer.assignedClientIdentifier = clientIdentifier
        }
        // The program's own clients have such identifiers: a session left under one would keep them from starting.
        if clientIdentifier.hasPrefix("$") {
            return refuse(client, packet, .clientIdentifierNotValid, "client identifiers that begin with $ are the server's own")
        }
        if let method = packet.properties.authenticationMethod {
            guard let authenticationData else { return refuse(client, packet, .badAuthenticationMethod) }
            // [MQTT-4.12.0-5] CONNACK names the method that was carried out.
            answer.authenticationMethod = method
            answer.authenticationData = authenticationData.isEmpty ? nil : authenticationData
        }
        if let will = packet.will, let reason = refusal(of: will) {
            return refuse(client, packet, reason, "the will is refused: \(reason.explanation ?? "")")
        }
        let permissions = permissions(of: client, clientIdentifier)
        if let will = packet.will, !mayPublishWill(on: will.topic, permissions) {
            return refuse(client, packet, .notAuthorized, "the client may not publish to the topic of its will")
        }
        var forgetsStored = false
        var old = sessions[clientIdentifier]
        if let gone = old, gone.client == nil, gone.expiresAt <= now {
            forgetsStored = gone.isPersistent
            publishDueWill(of: gone, now: now, wall: wall)
            end(gone, now: now, wall: wall)
            old = nil
        }
        guard clientCount < limits.maximumConnections || old?.client != nil else { return refuse(client, packet, .serverBusy) }
        guard old != nil || sessions.count < limits.maximumSessions else {
            return refuse(client, packet, .quotaExceeded, "the server has as many sessions as it keeps")
        }
        guard !refusesToStore(packet, old: old) else { return refuse(client, packet, .quotaExceeded, QuotaCause.diskFull.explanation) }
        guard old != nil || !isOutOfMemory else {
            return refuse(client, packet, .serverBusy, "the server uses as much memory as it may")
        }

        // [MQTT-3.1.4-3], [MQTT-3.1.4-2 v3.1.1] the newer connection takes the session over, the older one ends.
        if let oldClient = old?.client {
            close(oldClient, .sessionTakenOver)
            detach(oldClient, .byBroker(.sessionTakenOver), publishWill: true, now: now, wall: wall)
        }

        // [MQTT-3.1.2-5 v3.1.1], [MQTT-3.1.2-6 v3.1.1] before MQTT 5.0 a session lasts, or ends with its connection.
        let asked: UInt32 =
            packet.version == .v5 ? packet.properties.sessionExpiryInterval ?? 0 : (packet.cleanStart ? 0 : .max)
        let expiryInterval = min(asked, limits.maximumSessionExpiryInterval)
        if packet.version == .v5, expiryInterval != asked { answer.sessionExpiryInterval = expiryInterval }

        // A session is its user's: another one begins anew.
        let isCleanStart = packet.cleanStart || isOthers(old, client)
        // [MQTT-3.1.4-4], [MQTT-3.1.2-5], [MQTT-3.1.2-6] `detach` may have ended the old session.
        let left = old == nil ? nil : sessions[clientIdentifier]
        let kept = isCleanStart ? nil : left
        if isCleanStart, let ended = left {
            forgetsStored = ended.isPersistent
            publishDueWill(of: ended, now: now, wall: wall)
            end(ended, now: now, wall: wall)
        }
        let session = kept ?? makeSession(clientIdentifier)
        // [MQTT-3.1.3-9] reconnecting in time cancels a delayed will; one whose time has come goes out.
        if let due = session.willDue, due.at <= now { publishDueWill(of: session, now: now, wall: wall) }
        session.willDue = nil
        session.expiresAt = .distantFuture
        client.will = packet.will
        attach(client, to: session)
        let wasPersistent = session.isPersistent
        session.expiryInterval = expiryInterval
        if session.isPersistent {
            // A session that is present is promised to be there after a power cut as well. [MQTT-3.1.2-7] so is its will.
            // On a full disk a session that is there already may be used all the same, its will as long as the box runs.
            if !wasPersistent || client.will != nil && !refusesToStore { session.batch = batch }
            operations.append(.putSession(record(of: session)))
        } else if wasPersistent {
            operations.append(.deleteSession(session.number))
        }
        grant(permissions, to: client, of: session)
        // [MQTT-4.9.0-1]
        client.receiveMaximum = min(Int(packet.properties.receiveMaximum ?? .max), limits.maximumInFlight)
        client.topicAliasMaximum = min(packet.properties.topicAliasMaximum ?? 0, limits.outboundTopicAliasMaximum)
        var keepAlive = packet.keepAlive
        if limits.maximumKeepAlive > 0, packet.version == .v5, keepAlive == 0 || keepAlive > limits.maximumKeepAlive {
            keepAlive = limits.maximumKeepAlive
            answer.serverKeepAlive = keepAlive
        }
        // [MQTT-3.1.2-22] one and a half times the keep-alive; [MQTT-3.2.2-22] the client's own unless it was told another.
        client.keepAlive = keepAlive == 0 ? nil : .milliseconds(Int64(keepAlive) * 1500)
        if packet.version == .v5 {
            offer(to: client, in: &answer)
            // [MQTT-3.1.2-28] only to those who ask.
            if packet.properties.requestResponseInformation == true {
                answer.responseInformation = responseInformation(for: clientIdentifier)
            }
        }
        // [MQTT-3.1.4-5] accepted; [MQTT-3.2.2-2], [MQTT-3.2.2-3] with the session, if there was one to go on with.
        let connack = ConnackPacket(sessionPresent: kept != nil, reasonCode: .success, properties: answer)
        // It promises nothing that is not on disk: a new session without a will holds nothing yet, and each SUBACK waits for
        // its commit. But a session that this one does away with must not come back after a power cut [MQTT-3.1.2-4].
        let promises = session.isPersistent && (kept != nil || client.will != nil)
        acknowledge(.connack(connack), to: client, after: forgetsStored ? batch : promises ? session.batch : 0)
        client.awaitsConnack = !client.gated.isEmpty
        noteConnected(client, packet: packet, sessionPresent: kept != nil, keepAlive: keepAlive)
        session.queue.restart()
        goOn(with: session, now: now)
        return true
    }

    /// Connects a part of this program, which needs no CONNECT, under an identifier of its own that begins with `$`,
    /// as network clients' cannot.
    ///
    /// - Parameters:
    ///   - expiryInterval: seconds that the session outlives the connection, on disk too; 0 if it ends with it.
    ///   - resumes: goes on with the session that there is, if it outlives its connections; else it begins anew.
    public func attach(_ client: Client, identifier: String, expiryInterval: UInt32 = 0, resumes: Bool = false) {
        var resumed: Session?
        if let old = sessions[identifier] {
            precondition(old.client == nil, "\(identifier) is connected already")
            if resumes, old.isPersistent, expiryInterval > 0 {
                resumed = old
            } else {
                // It may be of a network client, from before this part was configured.
                forget(old)
            }
        }
        let session = resumed ?? makeSession(identifier)
        session.expiryInterval = min(expiryInterval, limits.maximumSessionExpiryInterval)
        session.expiresAt = .distantFuture
        attach(client, to: session)
        if session.isPersistent {
            session.batch = batch
            operations.append(.putSession(record(of: session)))
        }
        client.isInternal = true
        internalClients += 1
        client.version = .v5
        client.receiveMaximum = limits.maximumInFlight
    }

    private func attach(_ client: Client, to session: Session) {
        client.session = session
        session.disconnectedAt = nil
        client.account = account
        session.client = client
        connected += 1
    }

    /// - Parameter words: why, if there is more to say than what the reason means.
    private func refuse(
        _ client: Client, _ packet: ConnectPacket, _ reason: ReasonCode, _ words: String? = nil, serverReference: String? = nil
    ) -> Bool {
        noteRefused(client, packet: packet, reason)
        client.closingDetail = words ?? reason.explanation
        // [MQTT-3.2.2-6] no session is present in a refusal.
        var connack = ConnackPacket(sessionPresent: false, reasonCode: reason)
        connack.properties.reasonString = client.closingDetail
        connack.properties.serverReference = serverReference
        append(.connack(connack), to: client)
        // [MQTT-3.2.2-7], [MQTT-3.1.3-8], [MQTT-3.1.4-2] the connection ends; [MQTT-3.1.4-6] nothing more of it is looked at.
        client.isClosing = true
        return false
    }

    private func makeSession(_ clientIdentifier: String) -> Session {
        let session = Session(number: nextSessionNumber, clientIdentifier: clientIdentifier, expiryInterval: 0, account: account)
        nextSessionNumber += 1
        sessions[clientIdentifier] = session
        return session
    }

    func record(of session: Session) -> StoredSession {
        let will = session.client?.will ?? session.willDue?.will
        return StoredSession(
            number: session.number, clientIdentifier: session.clientIdentifier,
            expiryInterval: session.expiryInterval, disconnectedAt: session.disconnectedAt,
            will: will.map(StoredWill.init))
    }

    /// A client sent DISCONNECT.
    public func disconnect(_ client: Client, packet: DisconnectPacket, now: MonotonicTime, wall: Timestamp) {
        guard let session = client.session else { return }
        // [MQTT-3.14.2-1] one of the codes that a client may say.
        guard packet.reasonCode.isOfClientDisconnect else {
            close(client, reason: .protocolError, detail: "the reason code is for a server's DISCONNECT", now: now, wall: wall)
            return
        }
        if let interval = packet.properties.sessionExpiryInterval {
            // MQTT 5.0 §3.14.2.2.2: an interval that was 0 cannot be raised at the end.
            guard session.expiryInterval > 0 || interval == 0 else {
                close(client, .protocolError, detail: "a Session Expiry Interval of 0 cannot be raised at the end")
                detach(client, .byBroker(.protocolError), publishWill: true, now: now, wall: wall)
                return
            }
            session.expiryInterval = min(interval, limits.maximumSessionExpiryInterval)
            // The stored session goes when `detach` finds that nothing of it is to outlive the connection.
            if interval == 0 { operations.append(.deleteSession(session.number)) }
        }
        client.isClosing = true
        // [MQTT-3.14.4-3], [MQTT-3.1.2-10] the will is dropped after a normal end only.
        detach(client, .byClient(packet.reasonCode), publishWill: packet.reasonCode != .success, now: now, wall: wall)
    }

    /// A client's connection ended without DISCONNECT, or broke a rule.
    public func connectionLost(_ client: Client, now: MonotonicTime, wall: Timestamp) {
        client.isClosing = true
        detach(client, .connectionLost, publishWill: true, now: now, wall: wall)
    }

    /// Ends a connection for a reason of our own (malformed packet, shutdown): the client is told if its version can be.
    ///
    /// - Parameter detail: why, in words, for an MQTT 5.0 client; without it the reason code is explained.
    public func close(
        _ client: Client, reason: ReasonCode, detail: String? = nil, now: MonotonicTime, wall: Timestamp
    ) {
        close(client, reason, detail: detail)
        detach(client, .byBroker(reason), publishWill: true, now: now, wall: wall)
    }

    private func detach(
        _ client: Client, _ cause: DisconnectCause, publishWill: Bool, now: MonotonicTime, wall: Timestamp
    ) {
        guard let session = client.session else { return }
        noteDisconnected(client, session, cause)
        client.session = nil
        session.client = nil
        connected -= 1
        if client.isInternal { internalClients -= 1 }
        client.gated.removeAll()
        client.gatedPubacks = 0
        client.lastRoute = nil
        // [MQTT-3.1.2-8] now, or when its delay or the session is over.
        let will = publishWill ? client.will : nil
        client.will = nil
        session.disconnectedAt = wall
        let isDelayed = session.isPersistent && (will?.delayInterval ?? 0) > 0
        if let will, isDelayed {
            let delay = Duration.seconds(Int64(min(will.delayInterval, session.expiryInterval)))
            session.willDue = (now + delay, will)
        }
        // [MQTT-3.1.2-23]
        if session.isPersistent {
            session.expiresAt = session.expiryInterval == .max ? .distantFuture : now + .seconds(Int64(session.expiryInterval))
            operations.append(.putSession(record(of: session)))
        }
        // In the batch in which the stored session loses it.
        if let will, !isDelayed { publish(will, of: session, now: now, wall: wall) }
        if !session.isPersistent { end(session, now: now, wall: wall) }
    }

    func publishDueWill(of session: Session, now: MonotonicTime, wall: Timestamp) {
        guard let (_, will) = session.willDue else { return }
        session.willDue = nil
        if session.isPersistent { operations.append(.putSession(record(of: session))) }
        publish(will, of: session, now: now, wall: wall)
    }

    private func publish(_ will: Will, of session: Session, now: MonotonicTime, wall: Timestamp) {
        guard mayPublishWill(on: will.topic, session.permissions) else {
            return drop(.notAuthorized, for: session, topic: will.topic)
        }
        var topic = will.topic
        let message = topic.withUTF8 { topic in
            will.forwardedProperties.withUnsafeBytes { properties in
                will.payload.withUnsafeBytes { payload in
                    Message.create(
                        topic: UnsafeRawBufferPointer(topic), properties: properties, payload: payload, qos: will.qos,
                        retain: will.retain, publisher: UInt64(bitPattern: session.number),
                        expiresAt: will.messageExpiryInterval.map { now + .seconds(Int64($0)) } ?? .distantFuture,
                        publishedAt: wall)
                }
            }
        }
        // [MQTT-3.1.2-14], [MQTT-3.1.2-15] retained if it says so.
        publish(message, now: now, wall: wall)
    }

    /// Forgets a session and all that it holds.
    func end(_ session: Session, now: MonotonicTime, wall: Timestamp) {
        let shared = session.queue.entries.compactMap { entry -> (message: Message, group: SharedGroup)? in
            // [MQTT-4.8.2-4], [MQTT-4.8.2-5] a QoS 2 message whose delivery has begun is not for another client.
            guard entry.state == .queued || entry.state == .sent && entry.qos == .atLeastOnce,
                let message = entry.message, let group = entry.origin?.group
            else { return nil }
            return (message, group)
        }
        forget(session)
        if !shared.isEmpty { shareAgain(shared, now: now, wall: wall) }
    }

    private func forget(_ session: Session) {
        if sessions[session.clientIdentifier] === session { sessions[session.clientIdentifier] = nil }
        for filter in session.subscriptions.keys { subscriptions.remove(filter, session: session) }
        session.subscriptions.removeAll()
        var wasStored = session.isPersistent
        for entry in session.queue.entries where entry.state != .done {
            guard let stored = entry.stored else { continue }
            wasStored = true
            stored.references -= 1
            if stored.references == 0 { operations.append(.deleteMessage(number: stored.number)) }
        }
        if wasStored { operations.append(.deleteSession(session.number)) }
        session.feeds.removeAll()
        // Somebody may hold the session for a while: not its messages too.
        session.queue.removeAll()
    }
}
