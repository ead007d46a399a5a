import Core
public import MQTTCodec

/// Is told what happens to clients: event topics, logs.
///
/// Called on the broker's loop, in the middle of what caused the event: it takes note, and must not call the broker before
/// that has returned.
public protocol BrokerObserver: AnyObject {
    /// Whether events of a kind are of any use now: what nobody wants to know is not described.
    func wants(_ kind: BrokerEvent.Kind) -> Bool

    func observe(_ event: BrokerEvent)
}

/// Messages that one session has lost since they were last reported, by reason.
final class DropRecord {
    fileprivate var counts = [UInt64](repeating: 0, count: DropReason.allCases.count)
    /// By reason: the topic of the first.
    fileprivate var topics = [String](repeating: "", count: DropReason.allCases.count)
    fileprivate var isListed = false
}

extension Broker {
    /// Counts a message that does not reach a receiver (or, with `session` nil, its place among the retained messages), and
    /// has it reported within a second.
    ///
    /// - Parameter topic: evaluated at most once a second for each session and reason.
    @inline(never)
    func drop(_ reason: DropReason, for session: Session?, topic: @autoclosure () -> String) {
        statistics.drops[reason] &+= 1
        guard observer != nil else { return }
        let record: DropRecord
        if let session {
            if session.client?.isInternal == true { return }
            record = session.drops ?? DropRecord()
            session.drops = record
        } else {
            record = otherDrops
        }
        if record.counts[reason.rawValue] == 0 { record.topics[reason.rawValue] = topic() }
        record.counts[reason.rawValue] &+= 1
        guard !record.isListed else { return }
        record.isListed = true
        unreportedDrops.append((session?.clientIdentifier, record))
    }

    /// Tells the observer what was dropped since the last call; once a second.
    func reportDrops() {
        var reported: [(clientIdentifier: String?, record: DropRecord)] = []
        swap(&reported, &unreportedDrops)
        for (clientIdentifier, record) in reported {
            record.isListed = false
            for reason in DropReason.allCases where record.counts[reason.rawValue] > 0 {
                observer?.observe(
                    .dropped(
                        clientIdentifier: clientIdentifier, reason: reason, topic: record.topics[reason.rawValue],
                        count: record.counts[reason.rawValue]))
                record.counts[reason.rawValue] = 0
            }
        }
    }

    /// Counts a connection that has got its session, and tells the observer.
    func noteConnected(
        _ client: Client, packet: ConnectPacket, sessionPresent: Bool, keepAlive: UInt16
    ) {
        statistics.connections &+= 1
        statistics.maximumClients = max(statistics.maximumClients, clientCount)
        client.userName = client.identity?.userName ?? packet.userName
        guard let observer, observer.wants(.connected), let session = client.session else { return }
        observer.observe(
            .connected(
                describe(client, session),
                ConnectionDescription(
                    version: packet.version, cleanStart: packet.cleanStart, sessionPresent: sessionPresent,
                    keepAlive: keepAlive, sessionExpiryInterval: session.expiryInterval)))
    }

    /// Counts a CONNECT that was refused, and tells the observer.
    func noteRefused(_ client: Client, packet: ConnectPacket, _ reason: ReasonCode) {
        countRefusal(reason)
        guard let observer, observer.wants(.refused) else { return }
        observer.observe(
            .refused(
                ClientDescription(
                    clientIdentifier: packet.clientIdentifier, userName: packet.userName, address: client.peerAddress),
                reason: reason))
    }

    /// Counts a client that did not get as far as to the broker, and tells the observer.
    public func noteRefused(_ client: Client, credentials: Credentials, _ reason: ReasonCode) {
        countRefusal(reason)
        guard let observer, observer.wants(.refused) else { return }
        observer.observe(
            .refused(
                ClientDescription(
                    clientIdentifier: credentials.clientIdentifier, userName: credentials.userName,
                    address: client.peerAddress),
                reason: reason))
    }

    /// Counts a connection that the server refused before it had a CONNECT for the broker.
    public func countRefusal(_ reason: ReasonCode) { statistics.refusals[reason, default: 0] &+= 1 }

    /// Tells the observer that somebody may not connect for a while.
    public func noteBan(_ ban: Admission.Ban) {
        let subject: BanSubject =
            switch ban.subject {
            case .address(let address): .address("\(address)")
            case .clientIdentifier(let identifier): .clientIdentifier(identifier)
            case .userName(let name): .userName(name)
            }
        observer?.observe(.banned(subject, seconds: ban.time.components.seconds, reason: ban.reason))
    }

    /// Counts a connection's end, and tells the observer.
    func noteDisconnected(_ client: Client, _ session: Session, _ cause: DisconnectCause) {
        guard !client.isInternal else { return }
        switch cause {
        case .byClient(let reason): statistics.departures[reason, default: 0] &+= 1
        case .connectionLost: statistics.connectionsLost &+= 1
        case .byBroker(let reason): statistics.closings[reason, default: 0] &+= 1
        }
        guard let observer, observer.wants(.disconnected) else { return }
        observer.observe(.disconnected(describe(client, session), cause))
    }

    /// Tells the observer of a subscription that was made.
    func noteSubscribed(_ session: Session, filter: String, options: SubscriptionOptions) {
        guard let observer, observer.wants(.subscribed), let client = session.client, !client.isInternal else { return }
        observer.observe(.subscribed(describe(client, session), filter: filter, options: options))
    }

    /// Tells the observer of a subscription that was ended.
    func noteUnsubscribed(_ session: Session, filter: String) {
        guard let observer, observer.wants(.unsubscribed), let client = session.client, !client.isInternal else { return }
        observer.observe(.unsubscribed(describe(client, session), filter: filter))
    }

    private func describe(_ client: Client, _ session: Session) -> ClientDescription {
        ClientDescription(
            clientIdentifier: session.clientIdentifier, userName: client.userName, address: client.peerAddress)
    }
}
