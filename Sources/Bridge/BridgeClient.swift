import Broker
import Core
import MQTTCodec

/// The local broker's client through which messages go out: they enter the lane within the publish, so that the publisher's
/// acknowledgement waits for the commit.
final class ForwardingClient: Client {
    private unowned let bridge: Bridge

    init(bridge: Bridge) {
        self.bridge = bridge
        super.init(takesInline: true, stores: true)
    }

    override func receive(_ message: Message, qos: QoS, retain: Bool) { bridge.forward(message, retain: retain) }

    override func refuses(_ topic: UnsafeRawBufferPointer) -> Bool { bridge.refuses(topic) }
}

/// The local broker's client that publishes what comes in. Its outbox says when a message may be acknowledged upstream.
final class ReceivingClient: Client {
    private unowned let bridge: Bridge

    init(bridge: Bridge) {
        self.bridge = bridge
        super.init()
    }

    override func flush() { bridge.sendAcknowledgements() }
}

/// The local broker's client that takes what a form wants to hear: the answers of devices to commands. Nothing of it is kept:
/// who asked does not wait longer than a connection.
final class AnswerClient: Client {
    private unowned let bridge: Bridge

    init(bridge: Bridge) {
        self.bridge = bridge
        super.init(takesInline: true)
    }

    override func receive(_ message: Message, qos: QoS, retain: Bool) { bridge.answered(message) }
}
