import Core
import MQTTCodec

// What this broker can do, as CONNACK says it, and what it therefore does not take in CONNECT.

extension Broker {
    /// Puts into a successful CONNACK what the client has to keep to. What is not said has the standard's default.
    func offer(to client: Client, in answer: inout Properties) {
        answer.receiveMaximum = limits.receiveMaximum
        answer.maximumPacketSize = UInt32(clamping: min(limits.maximumPacketSize, client.maximumInboundPacketSize))
        answer.topicAliasMaximum = limits.topicAliasMaximum
        // [MQTT-3.2.2-9] a lower Maximum QoS is told.
        if limits.maximumQoS != .exactlyOnce { answer.maximumQoS = limits.maximumQoS.rawValue }
        if !limits.retainAvailable { answer.retainAvailable = false }
        if !limits.wildcardSubscriptionAvailable { answer.wildcardSubscriptionAvailable = false }
        if !limits.subscriptionIdentifierAvailable { answer.subscriptionIdentifierAvailable = false }
    }

    /// Where a client may have its answers sent (MQTT 5.0 §3.2.2.3.15); nil if nothing is configured, or its identifier
    /// would not be one level of a topic.
    func responseInformation(for clientIdentifier: String) -> String? {
        guard let prefix = limits.responseTopicPrefix else { return nil }
        let parts = prefix.split(separator: "%c", omittingEmptySubsequences: false)
        let isLevel = TopicName(clientIdentifier) != nil && !clientIdentifier.utf8.contains(UInt8(ascii: "/"))
        guard parts.count == 1 || isLevel else { return nil }
        return parts.joined(separator: clientIdentifier)
    }

    /// Why a will cannot be accepted; nil if it can.
    func refusal(of will: Will) -> ReasonCode? {
        if TopicLevels.depth(will.topic.utf8) > limits.maximumTopicLevels { return .topicNameInvalid }
        // [MQTT-3.2.2-12], [MQTT-3.2.2-13] what a client may not publish its will may not be either.
        if will.qos > limits.maximumQoS { return .qosNotSupported }
        if will.retain, !limits.retainAvailable { return .retainNotSupported }
        if limits.checksPayloadFormat, will.payloadFormatIsUTF8,
            !will.payload.withUnsafeBytes({ UTF8EncodedString.isValidPayload($0) })
        {
            return .payloadFormatInvalid
        }
        return nil
    }

    /// A client identifier that no session has.
    func unusedIdentifier() -> String {
        var number = nextSessionNumber
        while true {
            let identifier = assignedIdentifierPrefix + String(number, radix: 36)
            if sessions[identifier] == nil { return identifier }
            number += 1
        }
    }
}
