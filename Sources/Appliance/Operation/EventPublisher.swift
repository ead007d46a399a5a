import Broker
import Core
import Logging
import MQTTCodec
import NIOCore
import Payload

/// Publishes what happens to clients and to the store on `$events/…`, as JSON. Nothing is stored, and nothing is written
/// that nobody has subscribed to but for what lasts. What an operator has to know at any rate is in the log too.
///
/// Belongs to the broker's event loop.
final class EventPublisher: BrokerObserver {
    /// Events that may wait for the end of what caused them; more are counted and lost.
    static let maximumWaiting = 10_000

    private let broker: Broker
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let scheduleTurn: () -> Void
    private let unretained = LossLog()
    private var waiting: [(topic: String, payload: [UInt8], retain: Bool, wall: Timestamp)] = []
    private(set) var lost: UInt64 = 0

    init(broker: Broker, eventLoop: any EventLoop, logger: Logger, scheduleTurn: @escaping () -> Void) {
        self.broker = broker
        self.eventLoop = eventLoop
        self.logger = logger
        self.scheduleTurn = scheduleTurn
    }

    func wants(_ kind: BrokerEvent.Kind) -> Bool { broker.hasSubscribers(kind.topic) }

    func observe(_ event: BrokerEvent) {
        if case .dropped(_, .retainedFull, let topic, let count) = event { logUnretained(Int(clamping: count), topic) }
        publish(event.topic) { event.write(to: &$0) }
    }

    /// Not every publisher could be told.
    private func logUnretained(_ count: Int, _ topic: String) {
        guard let count = unretained.count(count, now: SystemClock.monotonic()) else { return }
        logger.warning(
            "messages are not retained: there are as many as max-retained-messages or max-retained-bytes allow, or the disk does not keep up",
            metadata: ["messages": "\(count)", "topic": "\(topic)"])
    }

    func observe(_ event: StorageEvent) {
        guard let topic = event.topic else { return }
        publish(topic) { event.write(to: &$0) }
    }

    /// Tells of a state that lasts: it is there for whoever subscribes later. An empty payload ends it.
    func retain(_ topic: String, _ payload: [UInt8]) {
        append(topic, payload, retain: true, at: SystemClock.wall())
    }

    func observe(_ event: CacheEvent) {
        publish(event.topic) { event.write(to: &$0) }
    }

    /// The broker is in the middle of what it tells of: the message follows as soon as that is over.
    private func publish(_ topic: String, _ members: (inout JSONWriter) -> Void) {
        guard broker.hasSubscribers(topic) else { return }
        guard waiting.count < EventPublisher.maximumWaiting else {
            lost &+= 1
            return
        }
        let wall = SystemClock.wall()
        append(topic, EventPublisher.payload(at: wall, members), retain: false, at: wall)
    }

    private func append(_ topic: String, _ payload: [UInt8], retain: Bool, at wall: Timestamp) {
        if waiting.isEmpty { eventLoop.assumeIsolated().execute { self.publishWaiting() } }
        waiting.append((topic, payload, retain, wall))
    }

    /// What an event says: when it was, and its members.
    static func payload(at wall: Timestamp, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("time")
        writer.integer(wall.milliseconds)
        members(&writer)
        writer.endObject()
        return writer.finish()
    }

    private func publishWaiting() {
        var events: [(topic: String, payload: [UInt8], retain: Bool, wall: Timestamp)] = []
        swap(&events, &waiting)
        let now = SystemClock.monotonic()
        for event in events {
            let message = Message.create(
                topic: event.topic, payload: event.payload, qos: .atMostOnce, retain: event.retain, publishedAt: event.wall)
            broker.publish(message, now: now, wall: event.wall)
        }
        scheduleTurn()
    }
}
