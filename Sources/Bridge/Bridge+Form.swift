import Broker
import Core
import Logging
import MQTTClient
import MQTTCodec
import NIOCore
import Store

// What a form wants done, and what it is told.

extension Bridge {
    var moment: Moment { Moment(wall: environment.wallTime(), monotonic: environment.monotonicTime()) }

    func makeForm() -> UpstreamForm? {
        let form = configuration.form?.make()
        form?.reportTopic = environment.reportTopic
        return form
    }

    /// Carries out what a form wants done. What it has for the local broker is published from outside of any publish.
    func carryOut(_ effects: [FormEffect]) {
        guard !effects.isEmpty else { return }
        for effect in effects {
            switch effect {
            case .publishUpstream(let publish):
                if let connection { send(publish, over: connection) }
            case .publishLocal(let publish):
                publishLocally(publish)
            case .subscribe(let requests):
                subscribe(to: requests)
            case .reconnect(let reason):
                connection?.close(.form(reason))
            case .keep(let bytes):
                keep(bytes)
            case .warn(let text):
                warn(text)
            }
        }
        connection?.flush()
        environment.scheduleTurn()
    }

    /// The file of what a form keeps; nil if it keeps nothing.
    private var keptPath: String? {
        guard let kept = form?.keeps, let directory = environment.keptDirectory else { return nil }
        return KeptFile.path(directory: directory, bridge: configuration.name, kept)
    }

    private func keep(_ bytes: [UInt8]) {
        guard let form, let path = keptPath else { return }
        KeptFile.write(bytes, path, eventLoop: eventLoop).assumeIsolated().whenComplete { result in
            // Another form may have taken its place.
            guard self.form === form else { return }
            switch result {
            case .success: self.carryOut(form.keptOnDisk(nil, now: self.moment))
            case .failure(let error): self.carryOut(form.keptOnDisk("\(error)", now: self.moment))
            }
        }
    }

    /// Reads what the form keeps, and has on disk what must be there before CONNECT is sent. A disk that does not take it is no
    /// reason to stay away: the cache may have to drain before there is room again.
    ///
    /// - Returns: failed if a secret cannot be read.
    func prepareKept() -> EventLoopFuture<Void> {
        guard let form, let path = keptPath else {
            _ = form?.keepBeforeConnect()
            return eventLoop.makeSucceededVoidFuture()
        }
        let read = KeptFile.read(path, eventLoop: eventLoop).assumeIsolated().flatMapErrorThrowing { error in
            guard form.keeps == .state else { throw error }
            self.warn("what was kept of earlier connections cannot be read: \(error)")
            return nil
        }
        return read.flatMap { kept in
            form.kept = kept
            guard let bytes = form.keepBeforeConnect(), bytes != kept else { return self.eventLoop.makeSucceededVoidFuture() }
            return KeptFile.write(bytes, path, eventLoop: self.eventLoop).assumeIsolated().flatMapErrorThrowing { error in
                self.warn("what a restart should know of this connection cannot be kept: \(error)")
            }.nonisolated()
        }.nonisolated()
    }

    /// The same words are said once a minute at most.
    private func warn(_ text: String) {
        let now = environment.monotonicTime()
        if formWarnings.count > 100 { formWarnings.removeAll() }
        if let until = formWarnings[text], now < until { return }
        formWarnings[text] = now + .seconds(60)
        logger.warning("upstream", metadata: ["detail": "\(text)"])
    }

    /// Sends a PUBLISH that no message of the cache waits for. One of QoS 1 that is not acknowledged is gone with its
    /// connection.
    func send(_ publish: FormPublish, over connection: UpstreamConnection<Bridge>) {
        var publish = publish
        var identifier: UInt16 = 0
        if publish.qos != .atMostOnce {
            if let free = Bridge.formIdentifiers.first(where: { !formInFlight.contains($0) }) {
                formInFlight.insert(free)
                identifier = free
            } else {
                publish.qos = .atMostOnce
            }
        }
        connection.send(publish, packetIdentifier: identifier, duplicate: false, retains: isRetainAvailable)
    }

    /// Those above all lanes', but for SUBSCRIBE's.
    private static let formIdentifiers: ClosedRange<UInt16> = 65_521...65_532

    private func publishLocally(_ publish: FormPublish) {
        let message = publish.topic.withUnsafeBytes { topic in
            publish.payload.withUnsafeBytes { payload in
                Message.create(
                    topic: topic, payload: payload, qos: publish.qos, retain: publish.retain,
                    publisher: receiving?.session.map { UInt64(bitPattern: $0.number) } ?? 0,
                    publishedAt: environment.wallTime())
            }
        }
        guard publish.topic.withUnsafeBytes({ TopicName.isValid($0) }),
            publish.topic.lazy.filter({ $0 == UInt8(ascii: "/") }).count < broker.limits.maximumTopicLevels
        else {
            counts.unmapped &+= 1
            return
        }
        counts.received &+= 1
        broker.publish(message, now: environment.monotonicTime(), wall: environment.wallTime())
    }

    // MARK: Answers of local devices

    /// Subscribes to what the form wants to hear from local devices.
    func listenForAnswers() {
        guard let form, !form.localFilters.isEmpty else { return }
        let client = AnswerClient(bridge: self)
        broker.attach(client, identifier: "$bridge/\(configuration.name)/answers")
        for filter in form.localFilters {
            broker.subscribe(
                client, filter: filter, options: SubscriptionOptions(qos: .exactlyOnce, retainHandling: .doNotSend),
                now: environment.monotonicTime(), wall: environment.wallTime())
        }
        answers = client
    }

    /// An answer came, within its publish: what follows from it waits until that is over.
    func answered(_ message: Message) {
        if let receiving = receiving?.session, message.publisher == UInt64(bitPattern: receiving.number) { return }
        eventLoop.assumeIsolated().execute {
            guard let form = self.form, !self.isStopped else { return }
            self.carryOut(form.local(message, now: self.moment))
            self.pump()
        }
    }

    /// What is said before a DISCONNECT.
    func sayFarewell() {
        guard let form, let connection, connection.isUp else { return }
        for publish in form.farewell(now: moment) { send(publish, over: connection) }
        connection.flush()
    }
}
