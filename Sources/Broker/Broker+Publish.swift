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
        guard client.isInternal || publish.qos <= limits.maximumQoS && (!publish.retain || limits.retainAvailable) else {
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
        let route = route(publish.topic, of: client)
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
        if publish.qos != .atMostOnce {
            guard !exceedsReceiveMaximum(publish.qos, client, session) else {
                close(client, reason: .receiveMaximumExceeded, now: now, wall: wall)
                return
            }
            if isDiskFull, refusesToStore(publish, along: route, from: client, session) {
                if publish.qos == .atLeastOnce {
                    refuseToStore(publish.packetIdentifier, from: client)
                } else {
                    refuse(publish, from: client, .quotaExceeded, .diskFull, now: now, wall: wall)
                }
                return
            }
            if let cause = exceededQuota(publish, along: route, from: client) {
                if cause == .retainedMessages {
                    drop(.retainedFull, for: nil, topic: String(decoding: publish.topic, as: UTF8.self))
                }
                refuse(publish, from: client, .quotaExceeded, cause, now: now, wall: wall)
                return
            }
        }
        if publish.qos == .exactlyOnce {
            session.received.insert(publish.packetIdentifier)
            if session.isPersistent {
                operations.append(.putReceived(session: session.number, packetIdentifier: publish.packetIdentifier))
            }
        }

        let before = (operations: operations.count, bytes: operationBytes, touched: isBatchTouched)
        isBatchTouched = false
        // What follows from the message may change routes.
        let leadsNowhere = route.leadsNowhere
        if !leadsNowhere || publish.retain {
            let forms = takeForms()
            var publication = Publication(
                topic: publish.topic, properties: publish.properties, payload: publish.payload, qos: publish.qos,
                retain: publish.retain, publisher: UInt64(bitPattern: session.number),
                messageExpiryInterval: publish.messageExpiryInterval,
                expiresAt: publish.messageExpiryInterval.map { now + .seconds(Int64($0)) } ?? .distantFuture,
                publishedAt: wall, forms: forms)
            deliver(&publication, along: route, now: now, wall: wall)
            publication.finish()
            giveBack(forms)
        }
        if operations.count > before.operations {
            countUnstored(
                of: client, operations: operations.count - before.operations, bytes: operationBytes - before.bytes)
        }
        if publish.qos == .atMostOnce {
            isBatchTouched = isBatchTouched || before.touched
            return
        }
        let leftSomething = isBatchTouched || operations.count > before.operations
        isBatchTouched = isBatchTouched || before.touched
        let reason: ReasonCode = leadsNowhere && client.version == .v5 ? .noMatchingSubscribers : .success
        let acknowledgement = AcknowledgementPacket(packetIdentifier: publish.packetIdentifier, reasonCode: reason)
        // [MQTT-3.3.4-1], [MQTT-4.3.2-4], [MQTT-4.3.3-8] as its QoS asks, [MQTT-4.3.3-13] also if its time has passed.
        // [MQTT-4.3.2-5] Nothing of QoS 1 is remembered.
        if publish.qos == .atLeastOnce {
            acknowledge(.puback(acknowledgement), to: client, after: leftSomething ? batch : 0)
        } else {
            acknowledge(.pubrec(acknowledgement), to: client, after: leftSomething || session.isPersistent ? batch : 0)
        }
    }

    /// The limit that keeps a message of QoS 1 or 2 from being taken; nil if there is none.
    @inline(__always)
    private func exceededQuota(_ publish: Publish, along route: Route, from client: Client) -> QuotaCause? {
        if hasFullClients, !client.isInternal, isRefused(publish.topic, along: route) { return .cacheFull }
        if isBacklogged { return isDiskFull ? .diskFull : .diskBehind }
        // Before MQTT 5.0 the only refusal is the end of the connection, too much for what no other client notices.
        guard client.version == .v5 else { return nil }
        if isMemoryShort, findsNoRoom(publish, along: route) { return .memory }
        // Success would promise that it is retained [MQTT-3.3.1-5]. What comes through a part of this program, as from an
        // upstream, is delivered all the same.
        if publish.retain, !client.isInternal, !publish.payload.isEmpty {
            let growth = trail?.maximumGrowth ?? 0
            let byteCount = publish.topic.count + publish.properties.count + publish.payload.count + growth
            // What never can be retained here would be sent again for ever by a bridge.
            let isPossible = limits.maximumRetainedMessages > 0 && byteCount <= limits.maximumRetainedBytes
            if isPossible, !mayRetain(publish.topic, byteCount: byteCount) { return .retainedMessages }
        }
        return nil
    }

    /// Whether the limits let a message of a topic be retained, in place of the one that is.
    private func mayRetain(_ topic: UnsafeRawBufferPointer, byteCount: Int) -> Bool {
        let old = retained.message(of: topic)
        return (old != nil || retained.limited.count < limits.maximumRetainedMessages)
            && retained.limited.byteCount - (old?.byteCount ?? 0) + byteCount <= limits.maximumRetainedBytes
    }

    @inline(__always)
    private func route(_ topic: UnsafeRawBufferPointer, of client: Client) -> Route {
        if let last = client.lastRoute, last.isCurrent, last.isOf(topic) { return last }
        let route = subscriptions.route(topic)
        client.lastRoute = route
        return route
    }

    /// Whether all whom a message is for would have to keep it in a queue that holds more than its share: nobody would get it.
    private func findsNoRoom(_ publish: Publish, along route: Route) -> Bool {
        let byteCount = publish.topic.count + publish.properties.count + publish.payload.count
        func waits(_ target: Target) -> Bool {
            target.qos != .atMostOnce && !target.session.takesAtOnce(qos: min(publish.qos, target.qos))
                && !mayHold(target.session.queue.byteCount + byteCount)
        }
        return !route.leadsNowhere && route.targets.allSatisfy(waits) && route.groups.allSatisfy { $0.members.allSatisfy(waits) }
    }

    /// Whether a client of this program's own that the message would come to has no room for it.
    private func isRefused(_ topic: UnsafeRawBufferPointer, along route: Route) -> Bool {
        route.targets.contains { $0.session.client?.refuses(topic) ?? false }
    }

    /// Whether the client has more messages unacknowledged than it was told that we take. A part of this program was told
    /// nothing: it passes on what somebody else sends, as much as that likes.
    private func exceedsReceiveMaximum(_ qos: QoS, _ client: Client, _ session: Session) -> Bool {
        guard !client.isInternal else { return false }
        // [MQTT-3.3.4-9] counts both; before MQTT 5.0 only what we have to remember has a bound.
        let unacknowledged = session.received.count + (client.version == .v5 ? client.gatedPubacks : 0)
        return unacknowledged >= Int(limits.receiveMaximum) && (client.version == .v5 || qos == .exactlyOnce)
    }

    /// Publishes a message of this program's own (a driver, the hub), outside of any other publish.
    public func publish(_ message: Message, now: MonotonicTime, wall: Timestamp) {
        statistics.received &+= 1
        let route = message.withTopic { subscriptions.route($0) }
        withPublication(of: message, now: now) { deliver(&$0, along: route, now: now, wall: wall) }
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

    /// Makes a publication of a message that is there already.
    func withPublication(of message: Message, now: MonotonicTime, _ body: (inout Publication) -> Void) {
        let forms = takeForms()
        message.withParts { topic, properties, payload in
            var publication = Publication(
                topic: topic, properties: properties, payload: payload, qos: message.qos, retain: message.retain,
                publisher: message.publisher, messageExpiryInterval: message.remainingExpiryInterval(now: now),
                expiresAt: message.expiresAt, publishedAt: message.publishedAt, message: message, forms: forms)
            body(&publication)
            publication.finish()
        }
        giveBack(forms)
    }

    /// One publish may be under way within another, so there may be several in use.
    private func takeForms() -> PublishForms { spareForms.popLast() ?? PublishForms() }

    private func giveBack(_ forms: PublishForms) { spareForms.append(forms) }

    private func deliver(_ publication: inout Publication, along route: Route, now: MonotonicTime, wall: Timestamp) {
        deliverOne(&publication, along: route, now: now, wall: wall)
        if !generated.isEmpty { deliverGenerated(now: now, wall: wall) }
    }

    private func deliverGenerated(now: MonotonicTime, wall: Timestamp) {
        while !generated.isEmpty {
            var more: [(message: Message, hops: Int)] = []
            swap(&more, &generated)
            for (message, hops) in more {
                self.hops = hops
                statistics.received &+= 1
                let route = message.withTopic { subscriptions.route($0) }
                withPublication(of: message, now: now) { deliverOne(&$0, along: route, now: now, wall: wall) }
            }
        }
        hops = 0
    }

    /// Levels that a topic of the program's own may have, however few clients are allowed.
    private static let ownTopicLevels = BrokerLimits().maximumTopicLevels

    private func deliverOne(_ publication: inout Publication, along route: Route, now: MonotonicTime, wall: Timestamp) {
        // From a client it has been refused; what the program itself makes of a message may have become deeper.
        guard route.depth <= max(limits.maximumTopicLevels, Broker.ownTopicLevels) else {
            drop(.topicTooDeep, for: nil, topic: publication.topicText)
            return
        }
        guard publication.expiresAt > now else {
            // [MQTT-3.3.2-5] a message whose time has passed is not started to be delivered.
            drop(.expired, for: nil, topic: publication.topicText)
            return
        }
        if trail != nil {
            admit(&publication, along: route, now: now, wall: wall)
        } else {
            deliverToAll(&publication, along: route, now: now, wall: wall)
        }
    }

    /// Marks a message, and delivers it unless it has been here.
    private func admit(_ publication: inout Publication, along route: Route, now: MonotonicTime, wall: Timestamp) {
        let properties: [UInt8]
        switch trail?.admit(topic: publication.topic, properties: publication.properties) {
        case .new(let marked): properties = marked
        case .unmarked, nil:
            deliverToAll(&publication, along: route, now: now, wall: wall)
            return
        case .known:
            drop(.returned, for: nil, topic: publication.topicText)
            return
        }
        let forms = takeForms()
        properties.withUnsafeBytes { properties in
            var marked = Publication(
                topic: publication.topic, properties: properties, payload: publication.payload, qos: publication.qos,
                retain: publication.retain, publisher: publication.publisher,
                messageExpiryInterval: publication.messageExpiryInterval, expiresAt: publication.expiresAt,
                publishedAt: publication.publishedAt, forms: forms)
            deliverToAll(&marked, along: route, now: now, wall: wall)
            marked.finish()
        }
        giveBack(forms)
    }

    private func deliverToAll(_ publication: inout Publication, along route: Route, now: MonotonicTime, wall: Timestamp) {
        // [MQTT-3.3.1-5], [MQTT-3.3.1-8]
        if publication.retain, limits.retainAvailable { retain(publication.message(), now: now, wall: wall) }
        var stored: StoredMessage?
        let targets = route.targets
        publication.hasManyReceivers = targets.count > 1
        for index in targets.indices {
            if targets[index].noLocal, UInt64(bitPattern: targets[index].session.number) == publication.publisher { continue }
            if !targets[index].session.feeds.isEmpty {
                feedAhead(publication.topic, to: targets[index].session, now: now, wall: wall)
            }
            // [MQTT-3.3.1-12], [MQTT-3.3.1-13], [MQTT-3.3.1-9 v3.1.1] the flag is cleared unless the subscription wants it as
            // published.
            deliver(
                &publication, to: targets[index], retain: publication.retain && targets[index].retainAsPublished,
                stored: &stored, now: now, wall: wall)
        }
        for group in route.groups { share(&publication, with: group, stored: &stored, now: now, wall: wall) }
    }

    /// Gives a message to the member of a shared subscription whose turn it is.
    private func share(
        _ publication: inout Publication, with group: SharedGroup, stored: inout StoredMessage?, now: MonotonicTime,
        wall: Timestamp
    ) {
        // Without a word, as for any other subscriber that is away (QoS 0) or may not receive it.
        guard let member = group.pick(qos: publication.qos, topic: publication.topic) else { return }
        deliver(
            &publication, to: member, retain: publication.retain && member.retainAsPublished, stored: &stored, now: now,
            wall: wall)
    }

    /// What a session held for a shared subscription goes to another member when the session ends.
    func shareAgain(_ held: [(message: Message, group: SharedGroup)], now: MonotonicTime, wall: Timestamp) {
        for (message, group) in held where message.expiresAt > now {
            var stored: StoredMessage?
            withPublication(of: message, now: now) {
                share(&$0, with: group, stored: &stored, now: now, wall: wall)
            }
        }
    }

    /// Gives a message to one session: at once, into its queue, or not at all.
    func deliver(
        _ publication: inout Publication, to target: Target, retain: Bool, stored: inout StoredMessage?,
        now: MonotonicTime, wall: Timestamp
    ) {
        let session = target.session
        // [MQTT-3.8.4-8], [MQTT-4.8.2-3]
        let qos = min(target.qos, publication.qos)
        guard let client = session.client else {
            if session.isPersistent, qos != .atMostOnce {
                enqueue(&publication, qos, retain, target.origin, session, stored: &stored, now: now, wall: wall)
            }
            return
        }
        if client.takesInline {
            statistics.delivered &+= 1
            client.receive(publication.message(), qos: qos, retain: retain)
            return
        }
        if qos == .atMostOnce {
            guard !client.isClosing else { return }
            guard client.outboxBytes &+ Client.cost(of: publication.byteCount) <= limits.maximumOutboxBytes,
                !isMemoryShort || client.outbox.isEmpty
                    || mayHold(client.outboxBytes &+ Client.cost(of: publication.byteCount))
            else {
                drop(.outboxFull, for: session, topic: publication.topicText)
                return
            }
            statistics.delivered &+= 1
            let delivery = Delivery(
                packetIdentifier: 0, qos: .atMostOnce, retain: retain, duplicate: false, origin: target.origin)
            if client.awaitsConnack {
                guard client.gated.count < Broker.mostBeforeConnack else {
                    drop(.outboxFull, for: session, topic: publication.topicText)
                    return
                }
                append(.publish(OutboundPublish(publication.message(), delivery)), to: client)
            } else {
                client.deliver(&publication, delivery)
                markDirty(client)
            }
            return
        }
        if session.isPersistent || client.isClosing || client.awaitsConnack || !session.queue.isDrained
            || session.queue.inFlight >= client.receiveMaximum
        {
            enqueue(&publication, qos, retain, target.origin, session, stored: &stored, now: now, wall: wall)
            return
        }
        // Sent at once and never again: only the packet identifier is kept, and the message of a shared subscription.
        guard session.queue.count < limits.maximumQueuedMessages else {
            drop(.queueFull, for: session, topic: publication.topicText)
            return
        }
        let keepsMessage = target.origin?.group != nil
        let packetIdentifier = session.queue.appendSent(
            DeliveryQueue.Entry(
                message: keepsMessage ? publication.message() : nil, stored: nil, origin: target.origin, qos: qos,
                retain: retain))
        statistics.delivered &+= 1
        client.deliver(
            &publication,
            Delivery(packetIdentifier: packetIdentifier, qos: qos, retain: retain, duplicate: false, origin: target.origin))
        markDirty(client)
    }

    /// Puts a message at the end of a session's queue, and sends from there.
    private func enqueue(
        _ publication: inout Publication, _ qos: QoS, _ retain: Bool, _ origin: DeliveryOrigin?, _ session: Session,
        stored: inout StoredMessage?, now: MonotonicTime, wall: Timestamp
    ) {
        guard session.queue.count < limits.maximumQueuedMessages,
            session.queue.byteCount + publication.byteCount <= limits.maximumQueuedBytes,
            !isMemoryShort || session.takesAtOnce(qos: qos) || mayHold(session.queue.byteCount + publication.byteCount),
            // Network clients are refused before; this program's own messages are not.
            !session.isPersistent || !isOverflowing
        else {
            drop(session.isPersistent && isOverflowing ? .storage : .queueFull, for: session, topic: publication.topicText)
            return
        }
        var entryStored: StoredMessage?
        if session.isPersistent {
            let message = stored ?? store(publication.message(), now: now, wall: wall)
            stored = message
            message.references += 1
            entryStored = message
        }
        let sequence = session.queue.append(
            DeliveryQueue.Entry(
                message: publication.message(), stored: entryStored, origin: origin, qos: qos, retain: retain))
        if let entryStored {
            operations.append(
                .enqueue(
                    session: session.number, sequence: sequence, message: entryStored.number, qos: qos, retain: retain,
                    subscriptionIdentifiers: origin?.subscriptionIdentifiers ?? []))
        }
        pump(session, now: now)
    }

    private func store(_ message: Message, now: MonotonicTime, wall: Timestamp) -> StoredMessage {
        let stored = StoredMessage(
            number: nextMessageNumber, batch: batch, byteCount: message.byteCount, account: account)
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

    /// Sends from a session's queue as far as the client's Receive Maximum allows [MQTT-4.9.0-2]; other packets do not
    /// come this way [MQTT-3.3.4-10], [MQTT-4.9.0-3].
    @inline(__always)
    func pump(_ session: Session, now: MonotonicTime) {
        guard session.queue.hasNextToSend, let client = session.client, !client.isClosing else { return }
        pump(session, to: client, now: now)
    }

    private func pump(_ session: Session, to client: Client, now: MonotonicTime) {
        while session.queue.inFlight < client.receiveMaximum, let (sequence, entry) = session.queue.nextToSend {
            if entry.state == .done {
                session.queue.markSent(keepsMessage: true)
                continue
            }
            if entry.qos == .exactlyOnce, let stored = entry.stored, stored.batch > committedBatch {
                // The receiver remembers the packet identifier: it must mean the same message after a power cut.
                if stored.batch == batch { isCommitUrgent = true }
                wait(session)
                return
            }
            if entry.state == .released {
                session.queue.markSent(keepsMessage: true)
                // The receiver forgets the packet identifier: that the message is released must be on disk before.
                let packet = AcknowledgementPacket(packetIdentifier: DeliveryQueue.packetIdentifier(sequence))
                acknowledge(.pubrel(packet), to: client, after: session.isPersistent ? batch : 0)
                continue
            }
            // [MQTT-4.3.3-7] one that was sent before does not expire.
            guard let message = entry.message, entry.state != .queued || message.expiresAt > now else {
                // [MQTT-3.3.2-5] a message whose time has passed is not started to be delivered.
                drop(.expired, for: session, topic: entry.message?.topic ?? "")
                finish(session.queue.discardNext(), of: session)
                continue
            }
            if sequence < session.uncheckedBefore, !mayReceive(message, session) {
                drop(.notAuthorized, for: session, topic: message.topic)
                finish(session.queue.discardNext(), of: session)
                continue
            }
            session.queue.markSent(keepsMessage: session.isPersistent || entry.origin?.group != nil)
            statistics.delivered &+= 1
            let delivery = Delivery(
                packetIdentifier: DeliveryQueue.packetIdentifier(sequence), qos: entry.qos, retain: entry.retain,
                duplicate: entry.duplicate, origin: entry.origin)
            append(.publish(OutboundPublish(message, delivery)), to: client)
        }
    }

    private func wait(_ session: Session) {
        guard !session.waitsForCommit else { return }
        session.waitsForCommit = true
        waitingSessions.append(session)
    }

    /// An entry of a queue is over: it leaves the store too.
    @inline(__always)
    func finish(_ finished: DeliveryQueue.Finished, of session: Session) {
        guard let stored = finished.stored else { return }
        operations.append(.dequeue(session: session.number, sequence: finished.sequence))
        stored.references -= 1
        if stored.references == 0 { operations.append(.deleteMessage(number: stored.number)) }
    }

    private func refuse(
        _ publish: Publish, from client: Client, _ reason: ReasonCode, _ cause: QuotaCause? = nil, now: MonotonicTime,
        wall: Timestamp
    ) {
        guard client.version == .v5, publish.qos != .atMostOnce else {
            // Before MQTT 5.0 there is no way to say no but to end the connection.
            close(client, reason: reason, detail: cause?.explanation, now: now, wall: wall)
            return
        }
        // [MQTT-4.3.3-9] the packet identifier is not remembered.
        let packet = AcknowledgementPacket(
            packetIdentifier: publish.packetIdentifier, reasonCode: reason, quotaCause: cause)
        acknowledge(publish.qos == .atLeastOnce ? .puback(packet) : .pubrec(packet), to: client, after: 0)
    }

    private func retain(_ message: Message, now: MonotonicTime, wall: Timestamp) {
        if message.withTopic({ Broker.isInMemoryOnly($0) }) { return retainInMemory(message) }
        if message.payloadLength == 0 {
            // [MQTT-3.3.1-6], [MQTT-3.3.1-7] an empty payload removes what is retained, and is not itself kept.
            if message.withTopic({ retained.remove($0) }) { operations.append(.deleteRetained(topic: message.topic)) }
            return
        }
        guard message.withTopic({ mayRetain($0, byteCount: message.byteCount) }),
            // QoS 0 messages are not refused when the disk does not keep up, but they cannot be kept.
            !isBacklogged || message.qos != .atMostOnce
        else {
            drop(.retainedFull, for: nil, topic: message.topic)
            // What was kept before is not true any more.
            if message.withTopic({ retained.remove($0) }) { operations.append(.deleteRetained(topic: message.topic)) }
            return
        }
        retained.put(message)
        operations.append(.putRetained(message, expiresAt: expiry(of: message, now: now, wall: wall)))
        operationBytes += message.byteCount
    }
}

extension Message {
    /// What is left of the Message Expiry Interval in seconds [MQTT-3.3.2-6], rounded up so that 0 is only said of what has
    /// just expired; nil if it does not expire.
    public func remainingExpiryInterval(now: MonotonicTime) -> UInt32? {
        guard expiresAt != .distantFuture else { return nil }
        return UInt32(clamping: max(0, ((expiresAt - now).wholeMilliseconds + 999) / 1000))
    }
}
