import Broker
import Core
import MQTTCodec

/// A part of the program that keeps what it receives.
final class Subscriber: Client {
    struct Received: Equatable {
        var topic: String
        var payload: String
        var qos: QoS = .atLeastOnce
        var retain = false
    }

    private var received: [Received] = []
    private(set) var acknowledged: [UInt16] = []
    private(set) var flushes = 0

    /// Attached to the broker, and subscribed to a filter.
    static func attached(to broker: Broker, filter: String) -> Subscriber {
        let subscriber = Subscriber()
        broker.attach(subscriber, identifier: "subscriber of \(filter)")
        guard let filter = TopicFilter(filter) else { preconditionFailure("\(filter) is no filter") }
        let options = SubscriptionOptions(qos: .atLeastOnce, retainAsPublished: true)
        broker.subscribe(subscriber, filter: filter, options: options, now: .zero, wall: Timestamp(milliseconds: 0))
        return subscriber
    }

    override func flush() {
        flushes += 1
        while let outbound = popOutbound() {
            switch outbound {
            case .publish(let publish):
                received.append(
                    Received(
                        topic: publish.message.topic, payload: String(decoding: publish.message.payload, as: UTF8.self),
                        qos: publish.qos, retain: publish.retain))
            case .puback(let packet):
                acknowledged.append(packet.packetIdentifier)
            default:
                break
            }
        }
    }

    /// What came since the last call.
    func take() -> [Received] {
        defer { received.removeAll() }
        return received
    }
}

extension Broker {
    /// Publishes a message and lets everybody have it.
    func publish(_ topic: String, _ payload: String, qos: QoS = .atLeastOnce, retain: Bool = false) {
        let wall = Timestamp(milliseconds: 1_700_000_000_000)
        let message = Message.create(topic: topic, payload: Array(payload.utf8), qos: qos, retain: retain, publishedAt: wall)
        publish(message, now: .zero, wall: wall)
        flush()
    }
}
