import Core
import MQTTClient
import MQTTCodec

// What the bridge says of itself.

extension Bridge {
    /// Says that the bridge has come, once per connection.
    ///
    /// - Parameter isAnswered: no SUBSCRIBE waits for its answer; it has the same packet identifier.
    func announceBirth(isAnswered: Bool) {
        guard upstream.isBirthDue, isAnswered else { return }
        upstream.isBirthDue = false
        if let birth = configuration.birth { send(birth) }
    }

    /// Says what the upstream would say if the bridge was lost: with DISCONNECT it forgets its will [MQTT-3.14.4-3].
    func sayGoodbye() {
        sayFarewell()
        if let connection, connection.isUp, let will = configuration.will { send(will) }
    }

    /// Leaves the upstream with a goodbye, if there is a connection.
    func leaveUpstream() {
        sayGoodbye()
        connection?.disconnect()
        connection = nil
    }

    private func send(_ announcement: BridgeConfiguration.Announcement) {
        let message = Message.create(
            topic: announcement.topic, payload: announcement.payload, qos: min(announcement.qos, .atLeastOnce),
            retain: announcement.retain && isRetainAvailable, publishedAt: environment.wallTime())
        connection?.send(message, packetIdentifier: Bridge.ownIdentifier)
        connection?.flush()
    }
}
