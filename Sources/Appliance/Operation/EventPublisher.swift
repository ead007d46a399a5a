import Broker
import Core
import MQTTCodec
import NIOCore
import Payload

/// Publishes what happens to clients and to the store on `$events/…`, as JSON. Nothing is stored, and nothing is written
/// that nobody has subscribed to.
///
/// Belongs to the broker's event loop.
final class EventPublisher: BrokerObserver {
    /// Events that may wait for the end of what caused them; more are counted and lost.
    static let maximumWaiting = 10_000

    private let broker: Broker
    private let eventLoop: any EventLoop
    private let scheduleTurn: () -> Void
    private var waiting: [(topic: String, payload: [UInt8], wall: Timestamp)] = []
    private(set) var lost: UInt64 = 0

    init(broker: Broker, eventLoop: any EventLoop, scheduleTurn: @escaping () -> Void) {
        self.broker = broker
        self.eventLoop = eventLoop
        self.scheduleTurn = scheduleTurn
    }

    func wants(_ kind: BrokerEvent.Kind) -> Bool { broker.hasSubscribers(kind.topic) }

    func observe(_ event: BrokerEvent) {
        publish(event.topic) { event.write(to: &$0) }
    }

    func observe(_ event: StorageEvent) {
        publish(event.topic) { event.write(to: &$0) }
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
        let payload = EventPublisher.payload(at: wall, members)
        if waiting.isEmpty { eventLoop.assumeIsolated().execute { self.publishWaiting() } }
        waiting.append((topic, payload, wall))
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
        var events: [(topic: String, payload: [UInt8], wall: Timestamp)] = []
        swap(&events, &waiting)
        let now = SystemClock.monotonic()
        for event in events {
            let message = Message.create(
                topic: event.topic, payload: event.payload, qos: .atMostOnce, publishedAt: event.wall)
            broker.publish(message, now: now, wall: event.wall)
        }
        scheduleTurn()
    }
}
