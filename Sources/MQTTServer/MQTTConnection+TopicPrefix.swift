import Broker
import Core
import MQTTCodec

/// What a client says, in the broker's names.
extension MQTTConnection {
    func publish(_ publish: Broker.Publish, below prefix: TopicPrefix, now: MonotonicTime, wall: Timestamp) {
        var publish = publish
        var name = shared.takeName()
        guard prefix.write(publish.topic, into: &name) else {
            shared.giveBack(name: name)
            shared.broker.close(self, reason: .topicNameInvalid, now: now, wall: wall)
            return
        }
        let properties = prefix.addedToResponseTopic(of: publish.properties)
        name.withUnsafeBytes { topic in
            publish.topic = topic
            guard let properties else { return shared.broker.publish(publish, from: self, now: now, wall: wall) }
            properties.withUnsafeBytes {
                publish.properties = $0
                shared.broker.publish(publish, from: self, now: now, wall: wall)
            }
        }
        shared.giveBack(name: name)
    }
}

extension TopicPrefix {
    func add(to packet: inout SubscribePacket) {
        for index in packet.requests.indices {
            let filter = packet.requests[index].filter
            packet.requests[index].filter = added(toFilter: filter)
            packet.requests[index].isWildcardBelowPrefix = TopicPrefix.beginsWithWildcard(filter)
        }
    }

    func add(to packet: inout UnsubscribePacket) {
        for index in packet.filters.indices { packet.filters[index] = added(toFilter: packet.filters[index]) }
    }

    /// The will's topic.
    func add(to packet: inout ConnectPacket) throws(DecodeError) {
        guard var will = packet.will else { return }
        will.topic = added(to: will.topic)
        guard will.topic.utf8.count <= 65_535 else {
            throw DecodeError(
                reasonCode: .topicNameInvalid, reason: "the will's topic is too long below the listener's prefix", offset: 0)
        }
        if let changed = will.forwardedProperties.withUnsafeBytes(addedToResponseTopic) { will.forwardedProperties = changed }
        packet.will = will
    }
}
