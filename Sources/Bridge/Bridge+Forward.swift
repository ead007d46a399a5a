import Broker
import Core
import Logging
import MQTTClient
import MQTTCodec
import Store

// Local messages on their way out.

extension Bridge {
    /// A local message of a forwarded filter: once into the lane for each name that it has upstream.
    func forward(_ message: Message, retain: Bool) {
        // What came from this upstream does not go back to it, whichever route matches.
        if let receiving = receiving?.session, message.publisher == UInt64(bitPattern: receiving.number) { return }
        var first: Message?
        for route in configuration.forwards where matches(route.filter, message) {
            guard message.withTopic({ route.mapping.map($0, into: &forwardedTopic) }) else {
                counts.unmapped &+= 1
                continue
            }
            // Two routes may give it the same name.
            if let first, first.withTopic({ $0.elementsEqual(forwardedTopic) }) { continue }
            let outgoing = renamed(message, qos: route.qos, retain: retain && route.keepsRetain)
            if first == nil { first = outgoing }
            if lane.append(outgoing) { broker.touchBatch() }
            if lane.isBehind { broker.isStoreBehind = true }
        }
    }

    private func matches(_ filter: TopicFilter, _ message: Message) -> Bool {
        var text = filter.text
        return text.withUTF8 { filter in
            message.withTopic { TopicFilter.matches(filter: UnsafeRawBufferPointer(filter), topic: $0) }
        }
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

    /// Sends what the lane has for the upstream, as far as the connection takes it, and reads on in the cache.
    func pump() {
        // Flushing may say at once that the connection takes more.
        guard let connection, !isPumping else { return }
        isPumping = true
        let now = environment.monotonicTime()
        var hasSent = true
        while hasSent {
            hasSent = false
            while connection.isWritable, let publish = lane.next(now: now) {
                connection.send(publish, retain: publish.message.retain && isRetainAvailable)
                hasSent = true
            }
            connection.flush()
        }
        isPumping = false
        guard let read = lane.takeRead() else { return }
        environment.read(read) { [weak self] reading in
            guard let self else { return }
            if let reading {
                self.lane.finishRead(
                    reading.messages, nextSequence: reading.nextSequence, damaged: reading.damagedMessages)
                if reading.damagedMessages > 0 {
                    self.logger.error("cache is damaged", metadata: ["messages": "\(reading.damagedMessages)"])
                }
                self.pump()
            } else {
                // The next tick, commit or PUBACK asks again.
                self.lane.readFailed()
                self.logger.error("cannot read the cache")
            }
        }
    }
}
