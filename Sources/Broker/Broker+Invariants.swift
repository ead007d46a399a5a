import Core
import DequeModule
import MQTTCodec

// For tests: what has to hold between any two calls, found by counting everything anew.

extension Broker {
    /// What does not hold; empty if all is well. Walks everything.
    func checkInvariants() -> [String] {
        var broken: [String] = []
        func check(_ holds: Bool, _ what: @autoclosure () -> String) {
            if !holds { broken.append(what()) }
        }
        let clients = sessions.values.compactMap(\.client)
        check(connected == clients.count, "\(connected) connected, \(clients.count) sessions have a client")
        check(internalClients == clients.count { $0.isInternal }, "\(internalClients) internal clients")
        let own = sessions.values.count { $0.isOfProgram }
        check(sessions.count <= limits.maximumSessions + own, "\(sessions.count) sessions")
        for (identifier, session) in sessions {
            check(identifier == session.clientIdentifier, "\(session.clientIdentifier) is filed under \(identifier)")
            broken += brokenInvariants(of: session)
        }
        // Clients that are gone may still have something to send.
        var stored: [Int64: Int] = [:]
        var waiting = clients.reduce(0) { $0 + $1.outboxBytes }
        for entry in sessions.values.lazy.flatMap(\.queue.entries) {
            guard let message = entry.message else { continue }
            // One that is stored for several sessions counts once.
            if let number = entry.stored?.number { stored[number] = message.byteCount } else { waiting += message.byteCount }
        }
        waiting += stored.values.reduce(0, +)
        check(account.byteCount >= waiting, "\(waiting) bytes wait, counted \(account.byteCount)")
        let holders = sessions.values.count { $0.queue.byteCount > 0 } + clients.count { $0.outboxBytes > 0 }
        check(account.holders >= holders, "\(holders) queues and outboxes hold something, counted \(account.holders)")
        check(generated.isEmpty && hops == 0, "a publish is under way")
        check(committedBatch < batch, "batch \(batch) is committed before it is closed")
        check(!operations.isEmpty || operationBytes == 0, "no operations of \(operationBytes) bytes")
        return broken + brokenSubscriptions() + brokenRetained() + brokenReferences()
    }

    private func brokenInvariants(of session: Session) -> [String] {
        var broken = session.queue.brokenInvariants()
        if session.queue.count > limits.maximumQueuedMessages { broken.append("\(session.queue.count) messages queued") }
        if session.queue.byteCount > limits.maximumQueuedBytes { broken.append("\(session.queue.byteCount) bytes queued") }
        if session.subscriptions.count > limits.maximumSubscriptions {
            broken.append("\(session.subscriptions.count) subscriptions")
        }
        if session.feeds.contains(where: { session.subscriptions[$0.filter] == nil }) {
            broken.append("retained messages are due for a subscription that is gone")
        }
        if session.quietUntil > session.nextLook { broken.append("it would not be looked at in time") }
        if session.received.count > Int(limits.receiveMaximum) { broken.append("\(session.received.count) received") }
        if session.waitsForCommit != waitingSessions.contains(where: { $0 === session }) {
            broken.append("the list of those that wait for a commit is wrong")
        }
        if let client = session.client {
            if client.session !== session { broken.append("its client has another session") }
            if client.isClosing { broken.append("its client is closing") }
            if session.queue.inFlight > client.receiveMaximum { broken.append("\(session.queue.inFlight) in flight") }
            if session.expiresAt != .distantFuture || session.willDue != nil { broken.append("ends or dies while connected") }
            broken += brokenInvariants(of: client)
        } else if !session.isPersistent {
            broken.append("it is not persistent and has no client")
        }
        return broken.map { "session \(session.clientIdentifier): \($0)" }
    }

    private func brokenInvariants(of client: Client) -> [String] {
        var broken: [String] = []
        var bytes = 0
        for case .publish(let publish) in client.outbox { bytes += Client.cost(of: publish.message.byteCount) }
        if client.outboxBytes != bytes { broken.append("outbox of \(bytes) bytes says \(client.outboxBytes)") }
        var atMostOnce = 0
        for case .publish(let publish) in client.outbox where publish.qos == .atMostOnce {
            atMostOnce += Client.cost(of: publish.message.byteCount)
        }
        if atMostOnce > limits.maximumOutboxBytes { broken.append("\(atMostOnce) bytes of QoS 0 in the outbox") }
        if !client.isDirty, dirty.contains(where: { $0 === client }) { broken.append("the list of the dirty is wrong") }
        if client.isGated != gated.contains(where: { $0 === client }) { broken.append("the list of the gated is wrong") }
        if client.isGated == client.gated.isEmpty { broken.append("\(client.gated.count) acknowledgements wait") }
        if client.awaitsConnack, client.gated.isEmpty { broken.append("waits for a CONNACK that does not come") }
        for (earlier, later) in zip(client.gated, client.gated.dropFirst()) where earlier.batch > later.batch {
            broken.append("acknowledgements are out of order")
        }
        if let first = client.gated.first, first.batch <= committedBatch { broken.append("an acknowledgement is stuck") }
        let pubacks = client.gated.count { if case .puback = $0.outbound { true } else { false } }
        if client.gatedPubacks != pubacks { broken.append("\(pubacks) PUBACKs wait, counted \(client.gatedPubacks)") }
        return broken
    }

    /// The tree holds what the sessions hold, and nothing else.
    private func brokenSubscriptions() -> [String] {
        var broken: [String] = []
        var held: [Int64: [String]] = [:]
        for (filter, session) in subscriptions.all { held[session, default: []].append(filter) }
        for session in sessions.values {
            let found = (held.removeValue(forKey: session.number) ?? []).map { Array($0.utf8) }
            let own = session.subscriptions.keys.map { Array($0.utf8) }
            // By their bytes: two filters may be equal as text.
            if Set(own) != Set(found) || own.count != found.count {
                broken.append("session \(session.clientIdentifier) has \(own.count) subscriptions, the tree \(found.count)")
            }
        }
        for (session, filters) in held { broken.append("session \(session) is gone, the tree has \(filters)") }
        if subscriptions.hasDeadNodes { broken.append("the tree has nodes that hold nothing") }
        return broken
    }

    private func brokenRetained() -> [String] {
        var broken: [String] = []
        let (all, limited) = retained.recount
        if retained.all != all || retained.limited != limited {
            broken.append("retained: \(all), of those limited: \(limited), counted \(retained.all) and \(retained.limited)")
        }
        if limited.count > limits.maximumRetainedMessages || limited.byteCount > limits.maximumRetainedBytes {
            broken.append("retained and limited: \(limited)")
        }
        if retained.contents.contains(where: { $0.message.payloadLength == 0 }) { broken.append("an empty message is retained") }
        if retained.hasDeadNodes { broken.append("the retained messages' tree has nodes that hold nothing") }
        return broken
    }

    /// A stored message is referred to as often as it says, so that it leaves the store with its last delivery.
    private func brokenReferences() -> [String] {
        var found: [ObjectIdentifier: (stored: StoredMessage, count: Int)] = [:]
        for session in sessions.values {
            for entry in session.queue.entries where entry.state != .done {
                guard let stored = entry.stored else { continue }
                found[ObjectIdentifier(stored), default: (stored, 0)].count += 1
            }
        }
        return found.values.filter { $0.stored.references != $0.count }.map {
            "message \($0.stored.number) is in \($0.count) queues, counted \($0.stored.references)"
        }
    }
}

extension DeliveryQueue {
    func brokenInvariants() -> [String] {
        var broken: [String] = []
        let open = entries.filter { $0.state != .done }
        if count != open.count { broken.append("\(open.count) entries, counted \(count)") }
        let bytes = entries.reduce(0) { $0 + ($1.message?.byteCount ?? 0) }
        if byteCount != bytes { broken.append("\(bytes) bytes in the queue, counted \(byteCount)") }
        if entries.contains(where: { $0.state == .done && $0.message != nil }) { broken.append("a message is kept for nothing") }
        if entries.dropFirst(sentCount).contains(where: { $0.state != .done && $0.message == nil }) {
            broken.append("a message that is still to be sent is gone")
        }
        if !(0...entries.count ~= sentCount) { broken.append("\(sentCount) of \(entries.count) sent") }
        let sent = entries.prefix(sentCount)
        let inFlight = sent.count { $0.state == .sent || $0.state == .released }
        if self.inFlight != inFlight { broken.append("\(inFlight) in flight, counted \(self.inFlight)") }
        if sent.contains(where: { $0.state == .queued }) { broken.append("an entry was passed over") }
        if sent.first?.state == .done { broken.append("entries that are over are kept") }
        if entries.contains(where: { $0.qos == .atMostOnce }) { broken.append("QoS 0 in the queue") }
        if headSequence < 1 { broken.append("sequence number \(headSequence)") }
        return broken
    }
}
