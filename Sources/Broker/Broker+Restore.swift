public import Core
import MQTTCodec
public import Store

extension Broker {
    /// Takes up what the store kept, before any client connects.
    ///
    /// Sessions that were connected when the box stopped count as disconnected now: their wills, and those whose time came
    /// while the box was off, are published at the next ``tick(now:wall:)``, when all who may want them are there.
    public func restore(_ snapshot: SessionSnapshot, now: MonotonicTime, wall: Timestamp) {
        precondition(sessions.isEmpty && operations.isEmpty, "restore comes first")
        var messages: [Int64: (message: Message, stored: StoredMessage)] = [:]
        messages.reserveCapacity(snapshot.messages.count)
        for (number, message) in snapshot.messages {
            messages[number] = (message, StoredMessage(number: number, batch: 0, byteCount: message.byteCount, account: account))
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
            expiryInterval: kept.session.expiryInterval, account: account)
        sessions[session.clientIdentifier] = session
        nextSessionNumber = max(nextSessionNumber, session.number + 1)
        session.disconnectedAt = kept.session.disconnectedAt.flatMap(Broker.plausible) ?? wall
        if session.expiryInterval != .max {
            let interval = Duration.seconds(Int64(session.expiryInterval))
            session.expiresAt = now + Broker.remaining(of: interval, since: session.disconnectedAt ?? wall, wall: wall)
        }
        if let will = kept.session.will {
            // MQTT 5.0 §3.1.3.2.2: at the latest when the session ends.
            let delay = Duration.seconds(Int64(min(will.delayInterval, session.expiryInterval)))
            let remaining = Broker.remaining(of: delay, since: session.disconnectedAt ?? wall, wall: wall)
            session.willDue = (now + remaining, Will(will))
        }
        // For the next restart: when the interval and the delay began.
        if kept.session.disconnectedAt != session.disconnectedAt { operations.append(.putSession(record(of: session))) }
        for subscription in kept.subscriptions {
            var held = Subscription(
                options: SubscriptionOptions(encoded: subscription.options), identifier: subscription.identifier)
            if subscription.options & StoredSubscription.isWildcardBelowPrefix != 0 {
                held.hiddenLevel = HiddenLevel(behindPrefixOf: subscription.filter)
            }
            session.subscriptions[subscription.filter] = held
            subscriptions.insert(subscription.filter, held, session: session)
            if subscription.options & StoredSubscription.isFed != 0 {
                session.feeds.append(
                    RetainedFeed(filter: subscription.filter, hiding: held.hiddenLevel, limit: retained.newestNumber))
            }
        }
        // Whether what is queued may be delivered is only known when somebody comes for it.
        defer { session.uncheckedBefore = session.queue.nextSequence }
        session.received = PacketIdentifierSet(kept.receivedPacketIdentifiers)
        for entry in kept.queue {
            guard let (message, stored) = messages[entry.message] else { continue }
            stored.references += 1
            session.queue.restore(
                DeliveryQueue.Entry(
                    message: message, stored: stored,
                    origin: DeliveryOrigin.make(
                        subscriptionIdentifiers: entry.subscriptionIdentifiers.isEmpty ? nil : entry.subscriptionIdentifiers),
                    qos: entry.qos, retain: entry.retain, state: entry.released ? .released : .queued, duplicate: true),
                sequence: entry.sequence)
        }
    }

    /// nil for a time from a clock that was not set yet: it says nothing.
    private static func plausible(_ time: Timestamp) -> Timestamp? {
        time.milliseconds < CacheLimits.earliestPlausibleTime ? nil : time
    }

    /// What is left of an interval. A clock that was set back must not make it longer.
    private static func remaining(of interval: Duration, since start: Timestamp, wall: Timestamp) -> Duration {
        let gone = Duration.milliseconds(max(0, wall.milliseconds - start.milliseconds))
        return max(.zero, interval - gone)
    }
}

extension Will {
    fileprivate init(_ stored: StoredWill) {
        self.init(
            topic: stored.topic, payload: stored.payload, qos: stored.qos, retain: stored.retain,
            forwardedProperties: stored.properties, delayInterval: stored.delayInterval,
            messageExpiryInterval: stored.messageExpiryInterval)
    }
}

extension StoredWill {
    init(_ will: Will) {
        self.init(
            topic: will.topic, payload: will.payload, qos: will.qos, retain: will.retain,
            properties: will.forwardedProperties, delayInterval: will.delayInterval,
            messageExpiryInterval: will.messageExpiryInterval)
    }
}
