public import Core
public import MQTTCodec

// A message while it is being published.
//
// Its parts lie where they came from, in a receive buffer or in a `Message`. A receiver that can be written to at once gets
// them from there, encoded once for all receivers of its kind; only for one that keeps the message a `Message` is made, once
// for all of those.

/// A message while it is being published; valid during the call that gets it.
public struct Publication: ~Copyable {
    public let topic: UnsafeRawBufferPointer
    /// Those MQTT 5.0 properties that travel with a message, encoded, without their length.
    public let properties: UnsafeRawBufferPointer
    public let payload: UnsafeRawBufferPointer
    public let qos: QoS
    public let retain: Bool
    /// The broker's number of the publishing session, 0 if there is none.
    public let publisher: UInt64
    public let expiresAt: MonotonicTime
    public let publishedAt: Timestamp
    /// What is left of the Message Expiry Interval in seconds; nil if the message does not expire.
    public let messageExpiryInterval: UInt32?
    var hasManyReceivers = false
    private var made: Message?
    private let forms: PublishForms

    /// - Parameter forms: for this message alone until ``finish()``.
    init(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: QoS,
        retain: Bool, publisher: UInt64, messageExpiryInterval: UInt32?, expiresAt: MonotonicTime, publishedAt: Timestamp,
        message: Message? = nil, forms: PublishForms
    ) {
        self.topic = topic
        self.properties = properties
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.publisher = publisher
        self.messageExpiryInterval = messageExpiryInterval
        self.expiresAt = expiresAt
        self.publishedAt = publishedAt
        made = message
        self.forms = forms
    }

    /// The message as something that can be kept.
    public mutating func message() -> Message {
        if let made { return made }
        let message = Message.create(
            topic: topic, properties: properties, payload: payload, qos: qos, retain: retain, publisher: publisher,
            expiresAt: expiresAt, publishedAt: publishedAt)
        made = message
        return message
    }

    /// The topic as text. Allocates; not for the data path.
    public var topicText: String { String(decoding: topic, as: UTF8.self) }

    public var byteCount: Int { topic.count &+ properties.count &+ payload.count }

    /// Whether an encoding for all receivers of a kind saves work: not for a large message with one receiver, which would be
    /// copied twice.
    public var isWorthSharing: Bool { hasManyReceivers || byteCount <= 4096 }

    /// Its encoding for receivers of a kind that need nothing of their own in it; nil if MQTT has no packet that large.
    @inline(__always)
    public func form(version: ProtocolVersion, qos: QoS) -> PublishForm? {
        forms.form(
            version: version, qos: qos, topic: topic, properties: properties, payload: payload,
            messageExpiryInterval: messageExpiryInterval)
    }

    /// The message has been given to everybody.
    func finish() { forms.clear() }
}

/// What of a delivery is the receiver's own.
public struct Delivery {
    /// 0 for QoS 0.
    public let packetIdentifier: UInt16
    /// What the subscription granted, at most the publisher's.
    public let qos: QoS
    public let retain: Bool
    public let duplicate: Bool
    let origin: DeliveryOrigin?

    /// Identifiers of the subscriptions that matched; nil if none has one (MQTT 5.0 §3.3.2.3.8).
    public var subscriptionIdentifiers: [UInt32]? { origin?.subscriptionIdentifiers }
}
