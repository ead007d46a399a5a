public import Core
import MQTTCodec
import Store

// What a subscription brings of the retained messages: at once if there is room for all of it, else little by little, as the
// client takes it.

extension Broker {
    /// Sends what is retained and a subscription matches.
    func sendRetained(
        _ filter: String, _ subscription: Subscription, to session: Session, now: MonotonicTime, wall: Timestamp
    ) {
        guard limits.retainAvailable else { return }
        let feedCount = session.feeds.count
        session.feeds.removeAll { $0.isOf(filter) }
        let beginsAnew = session.feeds.count < feedCount
        if session.feeds.isEmpty {
            let messages = retained.matching(filter, hiding: subscription.hiddenLevel, now: now)
            if hasRoom(for: messages, qos: subscription.options.qos, session) {
                let target = Target(Subscriber(session: session, subscription: subscription))
                for message in messages where mayReceive(message, session) {
                    sendRetained(message, to: target, now: now, wall: wall)
                }
                if beginsAnew { store(filter, of: session) }
                return
            }
        }
        session.feeds.append(RetainedFeed(filter: filter, hiding: subscription.hiddenLevel, limit: retained.newestNumber))
        store(filter, of: session)
        feed(session, now: now, wall: wall)
    }

    private func sendRetained(_ message: Message, to target: Target, now: MonotonicTime, wall: Timestamp) {
        var stored: StoredMessage?
        // MQTT 5.0 §3.3.1.3, [MQTT-3.3.1-8 v3.1.1] retained messages sent at a subscription carry the flag.
        withPublication(of: message, now: now) {
            deliver(&$0, to: target, retain: true, stored: &stored, now: now, wall: wall)
        }
    }

    /// A subscription's record says whether it is still owed retained messages: after a restart they begin anew.
    private func store(_ filter: String, of session: Session) {
        guard session.isPersistent, let subscription = session.subscriptions[filter] else { return }
        operations.append(.putSubscription(session: session.number, record(of: subscription, filter, session)))
    }

    func record(of subscription: Subscription, _ filter: String, _ session: Session) -> StoredSubscription {
        let isFed = session.feeds.contains { $0.isOf(filter) }
        var options = subscription.options.encoded
        if isFed { options |= StoredSubscription.isFed }
        if !subscription.hiddenLevel.isNone { options |= StoredSubscription.isWildcardBelowPrefix }
        return StoredSubscription(filter: filter, options: options, identifier: subscription.identifier)
    }

    // MARK: Room

    private func hasRoom(for messages: [Message], qos: QoS, _ session: Session) -> Bool {
        guard let client = session.client, !client.takesInline else { return true }
        var count = session.queue.count
        var queued = session.queue.byteCount
        var unqueued = client.outboxBytes
        for message in messages {
            if min(message.qos, qos) == .atMostOnce {
                unqueued += Client.cost(of: message.byteCount)
            } else {
                count += 1
                queued += message.byteCount
            }
        }
        return count <= limits.maximumQueuedMessages && queued <= limits.maximumQueuedBytes
            && unqueued <= limits.maximumOutboxBytes && account.byteCount + queued + unqueued <= limits.maximumWaitingBytes / 2
            && !client.awaitsConnack
    }

    /// Whether a feed may go on with a message: it leaves most of the room to live messages.
    private func hasRoom(for message: Message, qos: QoS, _ session: Session, _ client: Client) -> Bool {
        if qos == .atMostOnce {
            return !client.awaitsConnack && session.takesAtOnce(qos: qos)
                && (client.outbox.isEmpty || mayHold(client.outboxBytes + Client.cost(of: message.byteCount)))
        }
        if !session.takesAtOnce(qos: qos), !mayHold(session.queue.byteCount + message.byteCount) { return false }
        if session.isPersistent, isBacklogged { return false }
        // One that has no room even in an empty queue is dropped there.
        if session.queue.count == 0 { return true }
        return session.queue.count < min(limits.maximumQueuedMessages / 2, RetainedFeed.pageCount)
            && session.queue.byteCount + message.byteCount <= limits.maximumQueuedBytes / 2
    }

    // MARK: Feeding

    /// Sends what there is room for of the retained messages that a session is owed.
    func feed(_ session: Session, now: MonotonicTime, wall: Timestamp) {
        guard let client = session.client, !client.isClosing else { return }
        while let feed = session.feeds.first, let subscription = session.subscriptions[feed.filter] {
            let target = Target(Subscriber(session: session, subscription: subscription))
            while let message = feed.peek(retained, now: now) {
                let isAllowed = mayReceive(message, session)
                if isAllowed, !hasRoom(for: message, qos: min(message.qos, target.qos), session, client) { return }
                feed.advance()
                if isAllowed { sendRetained(message, to: target, now: now, wall: wall) }
            }
            session.feeds.removeFirst()
            store(feed.filter, of: session)
        }
    }

    /// There is room in a session's queue, or in its client's outbox.
    @inline(__always)
    func goOn(with session: Session, now: MonotonicTime) {
        pump(session, now: now)
        if !session.feeds.isEmpty { feed(session, now: now, wall: wallTime(at: now)) }
    }

    /// A client's outbox has been written, so that it may be given more.
    public func outboxWritten(of client: Client, now: MonotonicTime) {
        guard let session = client.session, !session.feeds.isEmpty else { return }
        goOn(with: session, now: now)
    }

    /// A live message is about to be given to a session: what is retained of its topic and still due comes before it.
    @inline(never)
    func feedAhead(_ topic: UnsafeRawBufferPointer, to session: Session, now: MonotonicTime, wall: Timestamp) {
        for feed in session.feeds {
            guard let subscription = session.subscriptions[feed.filter],
                let message = feed.takeAhead(topic, retained, now: now), mayReceive(message, session)
            else { continue }
            sendRetained(
                message, to: Target(Subscriber(session: session, subscription: subscription)), now: now, wall: wall)
        }
    }
}

extension StoredSubscription {
    // Bits of ``options`` that MQTT leaves free.

    /// Retained messages are still to be sent.
    static let isFed: UInt8 = 0x80
    /// The filter begins with a wildcard behind a prefix (``HiddenLevel``).
    static let isWildcardBelowPrefix: UInt8 = 0x40
}
