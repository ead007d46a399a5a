import Core
import MQTTCodec

/// A message as `sub` has received it. The bytes are valid only while it is handled.
struct ReceivedMessage {
    var topic: UnsafeRawBufferPointer
    var payload: UnsafeRawBufferPointer
    var qos: QoS
    var retain: Bool
    var dup: Bool
    /// 0 for QoS 0.
    var packetIdentifier: UInt16
    var properties = MessageProperties()
    var messageExpiryInterval: UInt32?
    var topicAlias: UInt16?
    var subscriptionIdentifiers: [UInt32] = []
    /// When it came: nanoseconds since 1970.
    var receivedAt: Int64 = 0

    var topicText: String { String(decoding: topic, as: UTF8.self) }
}
