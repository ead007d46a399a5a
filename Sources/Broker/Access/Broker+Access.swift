public import Core
import MQTTCodec

extension Broker {
    // MARK: Decisions

    /// What a client may do under an identifier; nil for everything.
    func permissions(of client: Client, _ clientIdentifier: String) -> Permissions? {
        guard let identity = client.identity else { return nil }
        return permissions(of: identity, clientIdentifier)
    }

    private func permissions(of identity: ClientIdentity, _ clientIdentifier: String) -> Permissions? {
        if let own = identity.principal.permissions { return own }
        return accessRules?.permissions(
            of: AccessSubject(
                userName: identity.userName, clientIdentifier: clientIdentifier,
                listener: identity.credentials.listener, address: identity.credentials.address))
    }

    /// A client has been given its session: from now on it has these permissions, and the session is delivered no more
    /// than they allow.
    func grant(_ permissions: Permissions?, to client: Client, of session: Session) {
        client.permissions = permissions
        client.permittedRoute = 0
        session.identity = client.identity
        setPermissions(permissions, of: session)
    }

    /// Whether a session was last used by another user than this client's; after a restart nobody knows.
    func isOthers(_ session: Session?, _ client: Client) -> Bool {
        guard let identity = session?.identity else { return false }
        switch (identity.userName, client.identity?.userName) {
        case (nil, nil): return false
        case (let one?, let other?): return !one.utf8.elementsEqual(other.utf8)
        default: return true
        }
    }

    private func setPermissions(_ permissions: Permissions?, of session: Session) {
        switch (session.permissions, permissions) {
        case (nil, nil): return
        case (let old?, let new?) where old.isEqual(to: new): break
        default:
            // Only a subscriber's permissions are part of a route.
            if !session.subscriptions.isEmpty { subscriptions.permissionsChanged() }
            session.uncheckedBefore = session.queue.nextSequence
        }
        session.permissions = permissions
    }

    /// Whether a network client may publish to a topic. The usual answers cost one comparison: there are no rules, or the
    /// topic is the client's last one.
    @inline(__always)
    func mayPublish(_ topic: UnsafeRawBufferPointer, _ route: Route, _ client: Client) -> Bool {
        if client.permissions == nil, topic.first != UInt8(ascii: "$") { return true }
        if client.permittedRoute == route.number { return true }
        return decidePublish(topic, route, client)
    }

    @inline(never)
    private func decidePublish(_ topic: UnsafeRawBufferPointer, _ route: Route, _ client: Client) -> Bool {
        if !client.isInternal, Broker.isReserved(topic) { return false }
        if let permissions = client.permissions, !permissions.mayPublish(topic, route: route.number) { return false }
        client.permittedRoute = route.number
        return true
    }

    func mayPublishWill(on topic: String, _ permissions: Permissions?) -> Bool {
        var topic = topic
        return topic.withUTF8 { topic in
            let topic = UnsafeRawBufferPointer(topic)
            return !Broker.isReserved(topic) && permissions?.mayPublish(topic) ?? true
        }
    }

    func mayReceive(_ message: Message, _ session: Session) -> Bool {
        guard let permissions = session.permissions else { return true }
        return message.withTopic { permissions.mayReceive($0) }
    }

    /// Whether only the program itself publishes to a topic: `$SYS`, `$events` and what is below them.
    private static func isReserved(_ topic: UnsafeRawBufferPointer) -> Bool {
        guard topic.first == UInt8(ascii: "$") else { return false }
        let level = topic.prefix { $0 != UInt8(ascii: "/") }
        return level.elementsEqual("$SYS".utf8) || level.elementsEqual("$events".utf8)
    }

    /// A PUBLISH that its client may not make: an MQTT 5.0 client is told if it waits for an answer.
    func deny(_ publish: Publish, from client: Client) {
        drop(.notAuthorized, for: client.session, topic: String(decoding: publish.topic, as: UTF8.self))
        // [MQTT-3.3.5-2] of MQTT 3.1.1: there is no way to say no but to end the connection, so it is acknowledged.
        let reason: ReasonCode = client.version == .v5 ? .notAuthorized : .success
        let packet = AcknowledgementPacket(packetIdentifier: publish.packetIdentifier, reasonCode: reason)
        switch publish.qos {
        case .atMostOnce: break
        case .atLeastOnce: acknowledge(.puback(packet), to: client, after: 0)
        case .exactlyOnce: acknowledge(.pubrec(packet), to: client, after: 0)
        }
    }

    // MARK: Change

    /// Listeners have other names from now on: whoever came through one of them goes by the new name.
    ///
    /// - Parameter names: the new ones by the old ones.
    public func rename(listeners names: [String: String]) {
        guard !names.isEmpty else { return }
        for session in sessions.values {
            guard let identity = session.identity, let name = names[identity.credentials.listener] else { continue }
            session.identity = identity.renamed(listener: name)
            session.client?.identity = session.identity
        }
    }

    /// A client has proved anew who it is: its permissions follow.
    public func identityChanged(of client: Client) {
        guard let session = client.session else { return }
        grant(permissions(of: client, session.clientIdentifier), to: client, of: session)
    }

    /// Puts other rules in the place of those that hold now. Clients that are connected have the new permissions at once;
    /// subscriptions that they have no right to any more stay, and nothing is delivered for them.
    ///
    /// - Parameter isKnown: whether somebody may still be connected; whoever may not is closed with Not authorized.
    public func setAccessRules(
        _ rules: AccessRules?, isKnown: (ClientIdentity) -> Bool = { _ in true }, now: MonotonicTime, wall: Timestamp
    ) {
        accessRules = rules
        for session in Array(sessions.values) {
            if let client = session.client {
                if client.isInternal { continue }
                if client.identity == nil { client.identity = client.anonymousIdentity() }
                if let identity = client.identity, !isKnown(identity) {
                    close(client, reason: .notAuthorized, now: now, wall: wall)
                    continue
                }
                grant(permissions(of: client, session.clientIdentifier), to: client, of: session)
            } else if let identity = session.identity {
                setPermissions(permissions(of: identity, session.clientIdentifier), of: session)
            }
        }
    }
}
