public import Core
public import MQTTCodec
import Store

extension Broker {
    /// A client sent SUBSCRIBE: answers each request, then sends the retained messages that it asks for, or begins to.
    public func subscribe(_ packet: SubscribePacket, from client: Client, now: MonotonicTime, wall: Timestamp) {
        guard let session = client.session else { return }
        if let reason = refusal(of: packet, from: client) {
            close(client, reason: reason, now: now, wall: wall)
            return
        }
        var codes: [ReasonCode] = []
        var causes: QuotaCauses = []
        var wanted: [(filter: String, subscription: Subscription)] = []
        // [MQTT-3.8.4-5] one after the other; [MQTT-3.8.4-6], [MQTT-3.9.3-1] a code for each, in their order.
        for var request in packet.requests {
            // [MQTT-3.2.2-10] a QoS above the maximum is accepted and granted as far as it goes.
            request.options.qos = min(request.options.qos, limits.maximumQoS)
            var code = ReasonCode.wildcardSubscriptionsNotSupported
            if limits.wildcardSubscriptionAvailable || !request.hasWildcard {
                code = add(
                    request, identifier: packet.subscriptionIdentifier ?? 0, to: session, wanted: &wanted, causes: &causes)
            }
            // MQTT 3.1 §3.8: it has no way of saying no, and a subscription that fails is acknowledged like any other.
            if client.version == .v31, code.isError { code = ReasonCode(rawValue: request.options.qos.rawValue) }
            codes.append(code)
        }
        // [MQTT-3.8.4-1] SUBACK, [MQTT-3.8.4-2], [MQTT-2.2.1-6] with the identifier of SUBSCRIBE; what it promises is on disk.
        acknowledge(
            .suback(SubackPacket(packetIdentifier: packet.packetIdentifier, reasonCodes: codes, quotaCauses: causes)),
            to: client, after: session.isPersistent ? session.batch : 0)
        for (filter, subscription) in wanted {
            sendRetained(filter, subscription, to: session, now: now, wall: wall)
        }
    }

    /// Why a SUBSCRIBE ends the connection: it uses what CONNACK said is not available (MQTT 5.0 §3.2.2.3.11, §3.2.2.3.12).
    private func refusal(of packet: SubscribePacket, from client: Client) -> ReasonCode? {
        guard client.version == .v5 else { return nil }
        if packet.subscriptionIdentifier != nil, !limits.subscriptionIdentifierAvailable {
            return .subscriptionIdentifiersNotSupported
        }
        if !limits.wildcardSubscriptionAvailable, packet.requests.contains(where: \.hasWildcard) {
            return .wildcardSubscriptionsNotSupported
        }
        return nil
    }

    /// Subscribes a part of this program; retained messages come at once.
    public func subscribe(
        _ client: Client, filter: TopicFilter, options: SubscriptionOptions, now: MonotonicTime, wall: Timestamp
    ) {
        guard let session = client.session else { return }
        var wanted: [(filter: String, subscription: Subscription)] = []
        var causes: QuotaCauses = []
        _ = add(
            SubscribePacket.Request(filter: filter.text, options: options), identifier: 0, to: session, wanted: &wanted,
            causes: &causes)
        for (filter, subscription) in wanted {
            sendRetained(filter, subscription, to: session, now: now, wall: wall)
        }
    }

    private func add(
        _ request: SubscribePacket.Request, identifier: UInt32, to session: Session,
        wanted: inout [(filter: String, subscription: Subscription)], causes: inout QuotaCauses
    ) -> ReasonCode {
        let isShared = request.filter.hasPrefix(SharedFilter.prefix)
        guard isShared ? SharedFilter(request.filter) != nil : TopicFilter(request.filter) != nil,
            request.filter.withTopicBytes({ TopicLevels.depth($0) }) <= limits.maximumTopicLevels + (isShared ? 2 : 0)
        else { return .topicFilterInvalid }
        if let permissions = session.client?.permissions, !permissions.maySubscribe(request.filter) {
            return .notAuthorized
        }
        var request = request
        if !isShared, session.client?.isBridge == true {
            request.options.noLocal = true
            request.options.retainAsPublished = true
        }
        let old = session.subscriptions[request.filter]
        let isNew = old == nil
        guard !isNew || session.subscriptions.count < limits.maximumSubscriptions else {
            causes.insert(QuotaCauses(.subscriptions))
            return .quotaExceeded
        }

        // [MQTT-3.8.4-3] a subscription of the same filter is replaced.
        var subscription = Subscription(options: request.options, identifier: identifier)
        if request.isWildcardBelowPrefix { subscription.hiddenLevel = HiddenLevel(behindPrefixOf: request.filter) }
        if subscription != old {
            if refusesToStore, session.isPersistent {
                causes.insert(QuotaCauses(.diskFull))
                return .quotaExceeded
            }
            session.subscriptions[request.filter] = subscription
            subscriptions.insert(request.filter, subscription, session: session)
            if session.isPersistent {
                session.batch = batch
                operations.append(
                    .putSubscription(session: session.number, record(of: subscription, request.filter, session)))
            }
        }
        noteSubscribed(session, filter: request.filter, options: request.options)
        // MQTT 5.0 §4.8.2: no retained messages for a shared subscription.
        if isShared { return ReasonCode(rawValue: request.options.qos.rawValue) }
        // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11], [MQTT-3.8.4-4] what is retained is sent as the option says.
        switch request.options.retainHandling {
        case .sendAtSubscribe: wanted.append((request.filter, subscription))
        case .sendIfNew: if isNew { wanted.append((request.filter, subscription)) }
        case .doNotSend: break
        }
        // [MQTT-3.8.4-7]
        return ReasonCode(rawValue: request.options.qos.rawValue)
    }

    /// A client sent UNSUBSCRIBE.
    public func unsubscribe(_ packet: UnsubscribePacket, from client: Client) {
        guard let session = client.session else { return }
        // [MQTT-3.10.4-1] the very same filter; [MQTT-3.10.4-6], [MQTT-3.11.3-1] each in turn, a code for each. What is queued
        // already stays [MQTT-3.10.4-3].
        let codes = packet.filters.map { filter -> ReasonCode in
            guard session.subscriptions.removeValue(forKey: filter) != nil else { return .noSubscriptionExisted }
            subscriptions.remove(filter, session: session)
            session.feeds.removeAll { $0.isOf(filter) }
            noteUnsubscribed(session, filter: filter)
            if session.isPersistent {
                session.batch = batch
                operations.append(.deleteSubscription(session: session.number, filter: filter))
            }
            return .success
        }
        // [MQTT-3.10.4-4], [MQTT-3.10.4-5] UNSUBACK with the identifier of UNSUBSCRIBE, also if there was nothing to end.
        acknowledge(
            .unsuback(SubackPacket(packetIdentifier: packet.packetIdentifier, reasonCodes: codes)), to: client,
            after: session.isPersistent ? session.batch : 0)
    }
}

extension SubscribePacket.Request {
    fileprivate var hasWildcard: Bool {
        filter.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
    }
}

extension SubscriptionOptions {
    /// As in SUBSCRIBE (MQTT 5.0 §3.8.3.1).
    var encoded: UInt8 {
        qos.rawValue | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | retainHandling.rawValue << 4
    }

    init(encoded: UInt8) {
        self.init(
            qos: QoS(rawValue: encoded & 3) ?? .atMostOnce, noLocal: encoded & 4 != 0, retainAsPublished: encoded & 8 != 0,
            retainHandling: RetainHandling(rawValue: encoded >> 4 & 3) ?? .sendAtSubscribe)
    }
}
