import Broker
import Core
import Logging
import MQTTClient
import MQTTCodec
import NIOCore
import Store

// Messages on their way from the routes to the upstream:
//
//     1. live lanes, the greatest priority first
//     2. sealed lanes, likewise, as fast as the meter allows and with a quarter of the window left free
//
// until the connection takes no more.

extension Bridge {
    /// Sends what the routes have for the upstream, as far as the connection takes it, and reads on in the cache.
    func pump() {
        // Flushing may say at once that the connection takes more.
        guard let connection, !isPumping, link != nil else { return }
        isPumping = true
        let now = environment.monotonicTime()
        for index in routes.indices { routes[index].pinged(connection.sentPings) }
        var hasSent = true
        while hasSent {
            if refusals.isActive {
                hasSent = sendOne(connection, now: now)
            } else {
                hasSent = sendLive(connection, now: now)
                if sendBackfill(connection, now: now) { hasSent = true }
            }
            connection.flush()
        }
        confirmByPing(connection)
        isPumping = false
        for index in routes.indices { routes[index].removeDrained() }
        readOn()
        pumpAgain(now)
    }

    private func sendLive(_ connection: UpstreamConnection<Bridge>, now: MonotonicTime) -> Bool {
        var hasSent = false
        for route in routes.indices where routes[route].order == .liveFirst || !routes[route].isBackfilling {
            let lane = routes[route].lanes.count - 1
            if routes[route].lanes[lane].hasBackfill, !backfillMeter.isOpen(now: now) { continue }
            if send(route, lane, connection, reserve: 0, now: now) { hasSent = true }
        }
        return hasSent
    }

    private func sendBackfill(_ connection: UpstreamConnection<Bridge>, now: MonotonicTime) -> Bool {
        var hasSent = false
        let reserve = window / 4
        for route in routes.indices where routes[route].isBackfilling {
            guard backfillMeter.isOpen(now: now) else { return hasSent }
            if send(route, 0, connection, reserve: reserve, now: now) { hasSent = true }
        }
        return hasSent
    }

    /// Messages that may be unacknowledged upstream.
    private var window: Int { min(configuration.maximumInFlight, link?.receiveMaximum ?? 0) }

    /// How much of the window is free, but for what is kept for others.
    private func room(reserve: Int) -> Int {
        window - reserve - routes.reduce(0) { $0 + $1.inFlightCount } - formInFlight.count
    }

    /// Sends what a lane has; true if it had something.
    ///
    /// - Parameter limit: messages at most.
    func send(
        _ route: Int, _ lane: Int, _ connection: UpstreamConnection<Bridge>, reserve: Int, limit: Int = .max, now: MonotonicTime
    ) -> Bool {
        if let form { return send(route, lane, form, connection, reserve: reserve, limit: limit, now: now) }
        var room = room(reserve: reserve)
        var hasSent = false
        var left = limit
        while left > 0, connection.isWritable, let publish = routes[route].lanes[lane].next(now: now, room: room) {
            let message = sentMessage.make(
                of: publish.message, sequence: publish.sequence, isBackfill: publish.isBackfill,
                isTimeUncertain: publish.isTimeUncertain, configuration.backfill, canMark: configuration.version == .v5)
            connection.send(
                message, packetIdentifier: publish.packetIdentifier, duplicate: publish.duplicate,
                messageExpiryInterval: publish.messageExpiryInterval,
                retain: publish.message.retain && isRetainAvailable)
            if publish.packetIdentifier != 0 { room -= 1 }
            left -= 1
            hasSent = true
            if publish.isBackfill {
                backfillMeter.sent(messages: 1, bytes: message.byteCount, now: now)
                if !backfillMeter.isOpen(now: now) { break }
            }
        }
        return hasSent
    }

    /// Sends what a form makes of what a lane has.
    private func send(
        _ route: Int, _ lane: Int, _ form: UpstreamForm, _ connection: UpstreamConnection<Bridge>, reserve: Int, limit: Int,
        now: MonotonicTime
    ) -> Bool {
        guard hasFormStarted else { return false }
        let batching = configuration.batching
        var hasSent = false
        var left = limit
        while left > 0, connection.isWritable {
            let maximumCount = min(batching.maximumCount, left)
            let offers = routes[route].lanes[lane].offer(
                maximumCount: maximumCount, maximumBytes: batching.maximumBytes, now: now)
            guard let first = offers.first else { break }
            let isFull = offers.count >= maximumCount || routes[route].lanes[lane].isReadingFromDisk
            guard isFull || now - first.readyAt >= batching.maximumAge else {
                lingerUntil = min(lingerUntil ?? .distantFuture, first.readyAt + batching.maximumAge)
                break
            }
            // The form may have given its word upstream (a sequence number) once it has made something: so room comes first.
            let room = room(reserve: reserve)
            guard routes[route].lanes[lane].hasRoom(qos: .atLeastOnce, room: room) else { break }
            let inputs = offers.map {
                FormInput(
                    message: $0.message, isBackfill: $0.isBackfill, sequence: $0.sequence, isTimeUncertain: $0.isTimeUncertain)
            }
            let limit = min(link?.maximumPacketSize ?? .max, FrameReader.maximumPacketSize)
            guard let made = form.batch(inputs, maximumBytes: limit, now: moment) else { break }
            let count = max(1, min(made.count, offers.count))
            left -= count
            guard let last = made.publishes.last else {
                routes[route].lanes[lane].skipOffer(count)
                hasSent = true
                continue
            }
            for publish in made.publishes.dropLast() { send(publish, over: connection) }
            guard let sent = routes[route].lanes[lane].sentOffer(count, qos: last.qos, room: room, now: now) else { break }
            connection.send(last, packetIdentifier: sent.packetIdentifier, duplicate: sent.duplicate, retains: isRetainAvailable)
            hasSent = true
            if first.isBackfill {
                backfillMeter.sent(messages: count, bytes: last.topic.count + last.payload.count, now: now)
                if !backfillMeter.isOpen(now: now) { break }
            }
        }
        return hasSent
    }

    // MARK: Confirmation of QoS 0

    /// What goes out with QoS 0 is not acknowledged; but the answer to a PINGREQ behind it says that it has arrived, for the
    /// server reads one after the other. One ping is under way at a time.
    private func confirmByPing(_ connection: UpstreamConnection<Bridge>) {
        guard connection.answeredPings == connection.sentPings, routes.contains(where: { $0.unconfirmedCount > 0 }) else { return }
        connection.ping()
    }

    func upstreamPong() {
        guard let connection else { return }
        let now = environment.monotonicTime()
        let searched = searched
        for index in routes.indices { routes[index].confirmed(ping: connection.answeredPings, now: now) }
        if let searched, self.searched == nil { searchAfterAnswer(to: searched) }
    }

    // MARK: The cache

    private func readOn() {
        for index in routes.indices {
            while let read = routes[index].takeRead() { start(read) }
        }
    }

    private func start(_ read: LaneRead) {
        environment.read(read) { [weak self] reading in
            guard let self, let index = self.routes.firstIndex(where: { $0.owns(read.lane) }) else { return }
            guard let reading else {
                // The next tick, commit or PUBACK asks again.
                self.routes[index].withLane(read.lane) { $0.readFailed(read) }
                self.logger.error("cannot read the cache")
                return
            }
            let messages = reading.messages.map { self.timeCorrection.apply(to: $0) }
            self.routes[index].withLane(read.lane) {
                $0.finishRead(
                    read, messages, nextSequence: reading.nextSequence, damaged: reading.damagedMessages,
                    now: self.environment.monotonicTime())
            }
            if reading.damagedMessages > 0 {
                self.logger.error("cache is damaged", metadata: ["messages": "\(reading.damagedMessages)"])
            }
            self.pump()
        }
    }

    // MARK: Time

    /// The times of what was taken in before the clock was set have been corrected on disk: what has not been sent is read
    /// from there again.
    public func rereadUnsent() {
        for index in routes.indices { routes[index].rereadUnsent() }
        pump()
    }

    /// What is allowed only in a moment is sent in a moment.
    private func pumpAgain(_ now: MonotonicTime) {
        var wait: Duration?
        if routes.contains(where: { $0.isBackfilling || $0.lanes.last?.hasBackfill ?? false }) {
            wait = backfillMeter.opens(now: now)
        }
        if let lingerUntil { wait = min(wait ?? .seconds(60), max(.zero, lingerUntil - now)) }
        lingerUntil = nil
        guard let wait, pumpTimer == nil else { return }
        pumpTimer = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(max(1_000_000, wait.wholeNanoseconds))) {
            self.pumpTimer = nil
            if !self.isStopped { self.pump() }
        }
    }
}
