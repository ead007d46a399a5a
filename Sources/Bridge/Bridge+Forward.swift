import Broker
import Core
import Logging
import MQTTClient
import MQTTCodec
import Store

// Local messages on their way into the routes.

extension Bridge {
    /// A route for each priority that the configuration uses or the cache still holds something of.
    func makeRoutes() {
        var priorities = Set(configuration.forwards.map(\.priority))
        for status in stored {
            if let name = LaneName(status.lane), status.messages > 0 || name.generation > 0 { priorities.insert(name.priority) }
        }
        if priorities.isEmpty { priorities = [RouteName.defaultPriority] }
        for priority in priorities where !routes.contains(where: { $0.priority == priority }) {
            // The index chooses the packet identifiers, so it stays the route's as long as the bridge lives. Those of the
            // usual route begin at 1.
            let index = (priority + 10 - RouteName.defaultPriority) % 10
            routes.append(
                returning(priority)
                    ?? BridgeRoute(
                        bridge: configuration.name, priority: priority, index: index, order: configuration.order,
                        limits: laneLimits, stored: stored))
        }
        routes.sort { $0.priority > $1.priority }
        for index in routes.indices {
            routes[index].order = configuration.order
            routes[index].setLimits(laneLimits)
        }
        dropUnusedRoutes()
    }

    private var laneLimits: BridgeLane.Limits {
        var limits = BridgeLane.Limits()
        limits.maximumInFlight = max(1, min(configuration.maximumInFlight, BridgeLane.identifierCount))
        // Two lanes of a route may send at a time.
        let lanes = 2 * max(1, Set(configuration.forwards.map(\.priority)).count)
        limits.maximumBufferedBytes = max(1 << 20, (8 << 20) / lanes)
        limits.reportTopic = environment.reportTopic
        return limits
    }

    /// The route that a forward's messages go by.
    func route(of forward: BridgeConfiguration.Forward) -> BridgeRoute { routes[routeIndex(forward.priority)] }

    private func routeIndex(_ priority: Int) -> Int { routes.firstIndex { $0.priority == priority } ?? 0 }

    /// A local message of a forwarded filter: once into a route for each name that it has upstream. A form names it later, so
    /// with one it goes by the first forward that matches, as it is.
    func forward(_ message: Message, retain: Bool) {
        // What came from this upstream does not go back to it, whichever route matches.
        if let receiving = receiving?.session, message.publisher == UInt64(bitPattern: receiving.number) { return }
        var first: Message?
        for forward in configuration.forwards where message.withTopic({ forward.filter.matches($0) }) {
            if form != nil {
                append(message.with(qos: forward.qos, retain: false), priority: forward.priority)
                return
            }
            guard message.withTopic({ forward.mapping.map($0, into: &forwardedTopic) }) else {
                counts.unmapped &+= 1
                continue
            }
            // Two forwards may give it the same name.
            if let first, first.withTopic({ $0.elementsEqual(forwardedTopic) }) { continue }
            let outgoing = renamed(message, qos: forward.qos, retain: retain && forward.keepsRetain)
            if first == nil { first = outgoing }
            append(outgoing, priority: forward.priority)
        }
    }

    /// Whether a local message with this topic is for a route that refuses what it has no room for.
    func refuses(_ topic: UnsafeRawBufferPointer) -> Bool {
        configuration.forwards.contains { fullPriorities.contains($0.priority) && $0.filter.matches(topic) }
    }

    /// Priorities that refuse, and have no room in the cache as of the last commit.
    func findFull() -> Set<Int> {
        guard !configuration.refusing.isEmpty else { return [] }
        let full = stored.lazy.filter(\.isFull).compactMap { LaneName($0.lane)?.priority }
        return configuration.refusing.intersection(full)
    }

    /// Takes in the state of the cache after a commit.
    func update(_ lanes: [LaneStatus]) {
        stored = lanes.filter { LaneName($0.lane)?.bridge == configuration.name }
        fullPriorities = findFull()
    }

    private func append(_ message: Message, priority: Int) {
        // Who can be refused has been. What comes nevertheless, of QoS 0 or from a part of this program, finds no room.
        guard !fullPriorities.contains(priority) else {
            counts.refused &+= 1
            pastSkipped[priority, default: SkippedMessages()].add(message, .noRoom, unless: environment.reportTopic)
            return
        }
        if routes[routeIndex(priority)].append(message) { broker.touchBatch() }
        if isBehind { broker.isStoreBehind = true }
    }

    /// Adds a message of the box's own to the most important route: what the upstream should know of losses. A form writes it as
    /// its upstream understands it.
    public func report(_ payload: [UInt8]) {
        guard !isStopped, let topic = environment.reportTopic, let first = routes.first else { return }
        // An upstream that keeps one value for each time would keep one of two reports.
        var time = environment.wallTime()
        // Not behind a clock that was set back.
        if (0..<1000).contains(lastReport.milliseconds - time.milliseconds) { time.milliseconds = lastReport.milliseconds + 1 }
        lastReport = time
        append(Message.create(topic: topic, payload: payload, qos: .atLeastOnce, publishedAt: time), priority: first.priority)
        environment.scheduleTurn()
    }

    private func renamed(_ message: Message, qos: QoS, retain: Bool) -> Message {
        forwardedTopic.withUnsafeBytes { topic in
            message.withProperties { properties in
                message.withPayload { payload in
                    Message.create(
                        topic: topic, properties: properties, payload: payload, qos: qos, retain: retain,
                        expiresAt: message.expiresAt, publishedAt: message.publishedAt)
                }
            }
        }
    }
}

extension Message {
    /// The same message, to be sent otherwise.
    fileprivate func with(qos: QoS, retain: Bool) -> Message {
        withParts { topic, properties, payload in
            Message.create(
                topic: topic, properties: properties, payload: payload, qos: qos, retain: retain, expiresAt: expiresAt,
                publishedAt: publishedAt)
        }
    }
}
