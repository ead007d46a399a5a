public import Core
public import MQTTCodec
public import Store

extension Broker {
    /// Ends all network connections with Server shutting down, or with the other server that is configured (MQTT 5.0 §4.11); sessions that outlive their connection stay. What remains
    /// is to flush and to commit.
    public func shutDown(now: MonotonicTime, wall: Timestamp) {
        for client in sessions.values.compactMap(\.client) where !client.isInternal {
            client.closingServerReference = limits.redirection?.serverReference
            let reason: ReasonCode =
                switch limits.redirection?.occasion {
                case nil: .serverShuttingDown
                case .shutdown, .always: .useAnotherServer
                case .moved: .serverMoved
                }
            close(client, reason: reason, now: now, wall: wall)
        }
    }

    /// Ends the network connections that `isConcerned` picks, each with its will; sessions that outlive their connection
    /// stay.
    public func closeClients(
        reason: ReasonCode, now: MonotonicTime, wall: Timestamp, where isConcerned: (Client) -> Bool
    ) {
        for client in sessions.values.compactMap(\.client) where !client.isInternal && isConcerned(client) {
            close(client, reason: reason, now: now, wall: wall)
        }
    }

    /// Everything that the store should hold, for a store that had to begin anew: what was in the batch being filled is
    /// part of it.
    public func everything(now: MonotonicTime, wall: Timestamp) -> [SessionOperation] {
        operations.removeAll()
        var all: [SessionOperation] = []
        var written: Set<Int64> = []
        for session in sessions.values where session.isPersistent {
            all.append(.putSession(record(of: session)))
            for (filter, subscription) in session.subscriptions {
                all.append(.putSubscription(session: session.number, record(of: subscription, filter, session)))
            }
            for identifier in session.received {
                all.append(.putReceived(session: session.number, packetIdentifier: identifier))
            }
            for (index, entry) in session.queue.entries.enumerated() where entry.state != .done {
                guard let stored = entry.stored, let message = entry.message else { continue }
                if written.insert(stored.number).inserted {
                    let expiresAt = expiry(of: message, now: now, wall: wall)
                    all.append(.putMessage(number: stored.number, message, expiresAt: expiresAt))
                }
                let sequence = session.queue.headSequence + Int64(index)
                all.append(
                    .enqueue(
                        session: session.number, sequence: sequence, message: stored.number, qos: entry.qos,
                        retain: entry.retain, subscriptionIdentifiers: entry.origin?.subscriptionIdentifiers ?? []))
                if entry.state == .released { all.append(.setReleased(session: session.number, sequence: sequence)) }
            }
        }
        for (message, _) in retained.contents where !message.withTopic({ Broker.isInMemoryOnly($0) }) {
            all.append(.putRetained(message, expiresAt: expiry(of: message, now: now, wall: wall)))
        }
        return all
    }
}
