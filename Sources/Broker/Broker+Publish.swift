public import Core
import MQTTCodec
import Store

extension Broker {
    /// A PUBLISH as the codec read it, still in the receive buffer.
    public struct Publish {
        public var topic: UnsafeRawBufferPointer
        public var properties: UnsafeRawBufferPointer
        public var payload: UnsafeRawBufferPointer
        public var qos: QoS
        public var retain: Bool
        public var packetIdentifier: UInt16
        /// Seconds; nil if the message does not expire.
        public var messageExpiryInterval: UInt32?
        /// The payload is said to be UTF-8 and is not.
        public var isPayloadInvalid = false

        public init(
            topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer,
            qos: QoS, retain: Bool, packetIdentifier: UInt16, messageExpiryInterval: UInt32?
        ) {
            self.topic = topic
            self.properties = properties
            self.payload = payload
            self.qos = qos
            self.retain = retain
            self.packetIdentifier = packetIdentifier
            self.messageExpiryInterval = messageExpiryInterval
        }
    }

    /// A client published. The acknowledgement goes to its outbox, at once or after the commit it has to wait for.
    public func publish(_ publish: Publish, from client: Client, now: MonotonicTime, wall: Timestamp) {
        guard let session = client.session else { return }
        statistics.received &+= 1
        guard publish.qos <= limits.maximumQoS, !publish.retain || limits.retainAvailable else {
            // MQTT 5.0 §3.2.2.3.4, §3.2.2.3.5: CONNACK has said so.
            let reason: ReasonCode = publish.qos > limits.maximumQoS ? .qosNotSupported : .retainNotSupported
            close(client, reason: reason, now: now, wall: wall)
            return
        }
        if publish.qos == .exactlyOnce, session.received.contains(publish.packetIdentifier) {
            // [MQTT-4.3.3-10] the same packet again is acknowledged, not published again.
            acknowledge(.pubrec(AcknowledgementPacket(packetIdentifier: publish.packetIdentifier)), to: client, after: batch)
            return
        }
        let route = subscriptions.route(publish.topic)
        guard route.depth <= limits.maximumTopicLevels else {
            refuse(publish, from: client, .topicNameInvalid, now: now, wall: wall)
            return
        }
        guard mayPublish(publish.topic, route, client) else {
            deny(publish, from: client)
            return
        }
        if publish.isPayloadInvalid {
            // MQTT 5.0 §3.3.2.3.2: it may be refused; of QoS 0 nobody can be told.
            if publish.qos == .atMostOnce {
                drop(.payloadFormat, for: session, topic: String(decoding: publish.topic, as: UTF8.self))
            } else {
                refuse(publish, from: client, .payloadFormatInvalid, now: now, wall: wall)
            }
            return
        }
        if publish.qos != .atMostOnce, isBacklogged {
            refuse(publish, from: client, .quotaExceeded, now: now, wall: wall)
            return
        }
        if publish.qos == .exactlyOnce {
            guard session.received.count < Int(limits.receiveMaximum) else {
                close(client, reason: .receiveMaximumExceeded, now: now, wall: wall)
                return
            }
            session.received.insert(publish.packetIdentifier)
            if session.isPersistent {
                operations.append(.putReceived(session: session.number, packetIdentifier: publish.packetIdentifier))
            }
        }

        let before = (operations: operations.count, touched: isBatchTouched)
        isBatchTouched = false
        if !route.targets.isEmpty || publish.retain {
            let message = Message.create(
                topic: publish.topic, properties: publish.properties, payload: publish.payload, qos: publish.qos,
                retain: publish.retain, publisher: UInt64(bitPattern: session.number),
                expiresAt: publish.messageExpiryInterval.map { now + .seconds(Int64($0)) } ?? .distantFuture,
                publishedAt: wall)
            deliver(message, along: route, now: now, wall: wall)
        }
        let leftSomething = isBatchTouched || operations.count > before.operations
        isBatchTouched = isBatchTouched || before.touched

        let reason: ReasonCode =
            route.targets.isEmpty && client.version == .v5 ? .noMatchingSubscribers : .success
        let acknowledgement = AcknowledgementPacket(packetIdentifier: publish.packetIdentifier, reasonCode: reason)
        switch publish.qos {
        case .atMostOnce:
            break
        case .atLeastOnce:
            acknowledge(.puback(acknowledgement), to: client, after: leftSomething ? batch : 0)
        case .exactlyOnce:
            acknowledge(.pubrec(acknowledgement), to: client, after: leftSomething || session.isPersistent ? batch : 0)
        }
    }

    /// Publishes a message of this program's own (a driver, the hub), outside of any other publish.
    public func publish(_ message: Message, now: MonotonicTime, wall: Timestamp) {
        statistics.received &+= 1
        deliver(message, along: message.withTopic { subscriptions.route($0) }, now: now, wall: wall)
    }

    /// For an in-process client while it receives a message: publishes another one that derives from it, within the same
    /// publish, so that the acknowledgement covers it. A chain of more than 8 is cut.
    public func generate(_ message: Message) {
        guard hops < 8 else {
            drop(.ruleChain, for: nil, topic: message.topic)
            return
        }
        generated.append((message, hops + 1))
    }

    private func deliver(_ message: Message, along route: Route, now: MonotonicTime, wall: Timestamp) {
        deliverOne(message, along: route, now: now, wall: wall)
        while !generated.isEmpty {
            var more: [(message: Message, hops: Int)] = []
            swap(&more, &generated)
            for (message, hops) in more {
                self.hops = hops
                statistics.received &+= 1
                deliverOne(message, along: message.withTopic { subscriptions.route($0) }, now: now, wall: wall)
            }
        }
        hops = 0
    }

    private func deliverOne(_ message: Message, along route: Route, now: MonotonicTime, wall: Timestamp) {
        // From a client it has been refused; what the program itself makes of a message may have become deeper.
        guard route.depth <= limits.maximumTopicLevels else {
            drop(.topicTooDeep, for: nil, topic: message.topic)
            return
        }
        if message.retain, limits.retainAvailable { retain(message, now: now, wall: wall) }
        var stored: StoredMessage?
        for target in route.targets {
            if target.noLocal, target.session.number == Int64(bitPattern: message.publisher) { continue }
            let qos = min(target.qos, message.qos)
            // [MQTT-3.3.1-12] the flag is cleared unless the subscription wants it as published.
            let retain = message.retain && target.retainAsPublished
            deliver(
                message, to: target.session, qos: qos, retain: retain,
                subscriptionIdentifiers: target.subscriptionIdentifiers, stored: &stored, now: now, wall: wall)
        }
    }

    /// Gives a message to one session: at once, into its queue, or not at all.
    func deliver(
        _ message: Message, to session: Session, qos: QoS, retain: Bool, subscriptionIdentifiers: [UInt32]?,
        stored: inout StoredMessage?, now: MonotonicTime, wall: Timestamp
    ) {
        if let client = session.client, client.takesInline {
            statistics.delivered &+= 1
            client.receive(message, qos: qos, retain: retain)
            return
        }
        if qos == .atMostOnce {
            guard let client = session.client, !client.isClosing else { return }
            guard client.outboxBytes + Client.cost(of: message) <= limits.maximumOutboxBytes else {
                drop(.outboxFull, for: session, topic: message.topic)
                return
            }
            client.outboxBytes += Client.cost(of: message)
            statistics.delivered &+= 1
            let publish = OutboundPublish(
                message: message, packetIdentifier: 0, qos: .atMostOnce, retain: retain, duplicate: false,
                subscriptionIdentifiers: subscriptionIdentifiers)
            if client.awaitsConnack {
                append(.publish(publish), to: client)
            } else {
                // As `append` would: this is the way of most messages, and the call costs a tenth of it.
                client.outbox.append(.publish(publish))
                markDirty(client)
            }
            return
        }
        guard session.client != nil || session.isPersistent else { return }
        guard session.queue.count < limits.maximumQueuedMessages,
            session.queue.byteCount + message.byteCount <= limits.maximumQueuedBytes,
            // Network clients are refused before; this program's own messages are not.
            !session.isPersistent || !isOverflowing
        else {
            drop(session.isPersistent && isOverflowing ? .storage : .queueFull, for: session, topic: message.topic)
            return
        }
        var entryStored: StoredMessage?
        if session.isPersistent {
            let message = stored ?? store(message, now: now, wall: wall)
            stored = message
            message.references += 1
            entryStored = message
        }
        let sequence = session.queue.append(
            DeliveryQueue.Entry(
                message: message, qos: qos, retain: retain, subscriptionIdentifiers: subscriptionIdentifiers,
                stored: entryStored, batch: batch))
        if let entryStored {
            operations.append(
                .enqueue(
                    session: session.number, sequence: sequence, message: entryStored.number, qos: qos, retain: retain,
                    subscriptionIdentifiers: subscriptionIdentifiers ?? []))
        }
        pump(session, now: now)
    }

    private func store(_ message: Message, now: MonotonicTime, wall: Timestamp) -> StoredMessage {
        let stored = StoredMessage(number: nextMessageNumber)
        nextMessageNumber += 1
        operations.append(
            .putMessage(number: stored.number, message, expiresAt: expiry(of: message, now: now, wall: wall)))
        operationBytes += message.byteCount
        return stored
    }

    /// When a message expires, as the store keeps it.
    func expiry(of message: Message, now: MonotonicTime, wall: Timestamp) -> Timestamp? {
        Moment(wall: wall, monotonic: now).wallTime(of: message.expiresAt)
    }

    /// Sends from a session's queue as far as the client's Receive Maximum allows.
    func pump(_ session: Session, now: MonotonicTime) {
        guard let client = session.client, !client.isClosing else { return }
        while session.queue.inFlight < client.receiveMaximum, let (sequence, entry) = session.queue.nextToSend {
            if entry.state == .done {
                session.queue.markSent()
                continue
            }
            if entry.qos == .exactlyOnce, entry.stored != nil, entry.batch > committedBatch {
                // The receiver remembers the packet identifier: it must mean the same message after a power cut.
                if entry.batch == batch { isCommitUrgent = true }
                wait(session)
                return
            }
            if entry.state == .released {
                session.queue.markSent()
                // The receiver forgets the packet identifier: that the message is released must be on disk before.
                let packet = AcknowledgementPacket(packetIdentifier: DeliveryQueue.packetIdentifier(sequence))
                acknowledge(.pubrel(packet), to: client, after: session.isPersistent ? batch : 0)
                continue
            }
            if entry.state == .queued, entry.message.expiresAt <= now {
                // [MQTT-3.3.2-5] a message whose time has passed is not started to be delivered.
                drop(.expired, for: session, topic: entry.message.topic)
                finish(session.queue.discardNext(), of: session)
                continue
            }
            if sequence < session.uncheckedBefore, !mayReceive(entry.message, session) {
                drop(.notAuthorized, for: session, topic: entry.message.topic)
                finish(session.queue.discardNext(), of: session)
                continue
            }
            session.queue.markSent()
            statistics.delivered &+= 1
            client.outboxBytes += Client.cost(of: entry.message)
            append(
                .publish(
                    OutboundPublish(
                        message: entry.message, packetIdentifier: DeliveryQueue.packetIdentifier(sequence),
                        qos: entry.qos, retain: entry.retain, duplicate: entry.duplicate,
                        subscriptionIdentifiers: entry.subscriptionIdentifiers)), to: client)
        }
    }

    private func wait(_ session: Session) {
        guard !session.waitsForCommit else { return }
        session.waitsForCommit = true
        waitingSessions.append(session)
    }

    /// An entry of a queue is over: it leaves the store too.
    func finish(_ finished: (sequence: Int64, entry: DeliveryQueue.Entry), of session: Session) {
        guard let stored = finished.entry.stored else { return }
        operations.append(.dequeue(session: session.number, sequence: finished.sequence))
        stored.references -= 1
        if stored.references == 0 { operations.append(.deleteMessage(number: stored.number)) }
    }

    private func refuse(
        _ publish: Publish, from client: Client, _ reason: ReasonCode, now: MonotonicTime, wall: Timestamp
    ) {
        guard client.version == .v5, publish.qos != .atMostOnce else {
            // Before MQTT 5.0 there is no way to say no but to end the connection.
            close(client, reason: reason, now: now, wall: wall)
            return
        }
        let packet = AcknowledgementPacket(packetIdentifier: publish.packetIdentifier, reasonCode: reason)
        acknowledge(publish.qos == .atLeastOnce ? .puback(packet) : .pubrec(packet), to: client, after: 0)
    }

    private func retain(_ message: Message, now: MonotonicTime, wall: Timestamp) {
        let topic = message.topic
        if Broker.isInMemoryOnly(topic) { return retainInMemory(message, topic) }
        if message.payloadLength == 0 {
            // [MQTT-3.3.1-6] an empty payload removes what is retained, and is not itself kept.
            if retained.remove(topic) { operations.append(.deleteRetained(topic: topic)) }
            return
        }
        let old = retained.message(of: topic)
        guard old != nil || retained.count < limits.maximumRetainedMessages,
            retained.byteCount - (old?.byteCount ?? 0) + message.byteCount <= limits.maximumRetainedBytes,
            // QoS 0 messages are not refused when the disk does not keep up, but they cannot be kept.
            !isBacklogged || message.qos != .atMostOnce
        else {
            drop(.retainedFull, for: nil, topic: topic)
            return
        }
        retained.put(message)
        operations.append(.putRetained(message, expiresAt: expiry(of: message, now: now, wall: wall)))
        operationBytes += message.byteCount
    }
}
