public import Core
import MQTTCodec
public import Store

extension Broker {
    /// Takes up what the store kept, before any client connects.
    ///
    /// Sessions that were connected when the box stopped count as disconnected now.
    public func restore(_ snapshot: SessionSnapshot, now: MonotonicTime, wall: Timestamp) {
        precondition(sessions.isEmpty && operations.isEmpty, "restore comes first")
        var messages: [Int64: (message: Message, stored: StoredMessage)] = [:]
        for (number, message) in snapshot.messages {
            messages[number] = (message, StoredMessage(number: number))
            nextMessageNumber = max(nextMessageNumber, number + 1)
        }
        for message in snapshot.retained { retained.put(message) }
        for kept in snapshot.sessions { restore(kept, messages: messages, now: now, wall: wall) }
        for (number, kept) in messages where kept.stored.references == 0 {
            operations.append(.deleteMessage(number: number))
        }
    }

    private func restore(
        _ kept: SessionSnapshot.Session, messages: [Int64: (message: Message, stored: StoredMessage)],
        now: MonotonicTime, wall: Timestamp
    ) {
        let session = Session(
            number: kept.session.number, clientIdentifier: kept.session.clientIdentifier,
            expiryInterval: kept.session.expiryInterval)
        sessions[session.clientIdentifier] = session
        nextSessionNumber = max(nextSessionNumber, session.number + 1)
        if session.expiryInterval != .max {
            // A time from a clock that was not set yet says nothing.
            let since = kept.session.disconnectedAt.flatMap { $0.milliseconds < CacheLimits.earliestPlausibleTime ? nil : $0 } ?? wall
            // A clock that was set back must not make a session live longer than its interval.
            let gone = min(max(0, wall.milliseconds - since.milliseconds), Int64(session.expiryInterval) * 1000)
            session.expiresAt = now + .milliseconds(Int64(session.expiryInterval) * 1000 - gone)
        }
        for subscription in kept.subscriptions {
            let held = Subscription(
                options: SubscriptionOptions(encoded: subscription.options), identifier: subscription.identifier)
            session.subscriptions[subscription.filter] = held
            subscriptions.insert(subscription.filter, held, session: session)
        }
        session.received = Set(kept.receivedPacketIdentifiers)
        for entry in kept.queue {
            guard let (message, stored) = messages[entry.message] else { continue }
            stored.references += 1
            session.queue.restore(
                DeliveryQueue.Entry(
                    message: message, qos: entry.qos, retain: entry.retain,
                    subscriptionIdentifiers: entry.subscriptionIdentifiers.isEmpty ? nil : entry.subscriptionIdentifiers,
                    stored: stored, batch: 0, state: entry.released ? .released : .queued, duplicate: true),
                sequence: entry.sequence)
        }
    }
}
