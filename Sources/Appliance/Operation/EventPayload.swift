import Broker
import Core
import MQTTCodec
import Payload

// The members of an event's JSON object after `time`.

extension BrokerEvent.Kind {
    var topic: String {
        switch self {
        case .connected: "$events/client/connected"
        case .refused: "$events/client/refused"
        case .disconnected: "$events/client/disconnected"
        case .subscribed: "$events/client/subscribed"
        case .unsubscribed: "$events/client/unsubscribed"
        case .dropped: "$events/message/dropped"
        case .banned: "$events/client/banned"
        }
    }
}

extension BrokerEvent {
    var topic: String {
        switch self {
        case .connected: Kind.connected.topic
        case .refused: Kind.refused.topic
        case .disconnected: Kind.disconnected.topic
        case .subscribed: Kind.subscribed.topic
        case .unsubscribed: Kind.unsubscribed.topic
        case .dropped: Kind.dropped.topic
        case .banned: Kind.banned.topic
        }
    }

    func write(to writer: inout JSONWriter) {
        switch self {
        case .connected(let client, let connection):
            client.write(to: &writer)
            writer.member("version", connection.version.text)
            writer.member("cleanStart", connection.cleanStart)
            writer.member("sessionPresent", connection.sessionPresent)
            writer.member("keepAlive", UInt64(connection.keepAlive))
            writer.member("sessionExpiry", UInt64(connection.sessionExpiryInterval))
        case .refused(let client, let reason):
            client.write(to: &writer)
            writer.member("reason", reason.keyword)
            writer.member("reasonCode", UInt64(reason.rawValue))
        case .disconnected(let client, let cause):
            client.write(to: &writer)
            cause.write(to: &writer)
        case .subscribed(let client, let filter, let options):
            client.write(to: &writer)
            writer.member("filter", filter)
            writer.member("qos", UInt64(options.qos.rawValue))
        case .unsubscribed(let client, let filter):
            client.write(to: &writer)
            writer.member("filter", filter)
        case .dropped(let clientIdentifier, let reason, let topic, let count):
            if let clientIdentifier { writer.member("client", clientIdentifier) }
            writer.member("reason", reason.name)
            writer.member("topic", topic)
            writer.member("count", count)
        case .banned(let subject, let seconds, let reason):
            switch subject {
            case .clientIdentifier(let identifier): writer.member("client", identifier)
            case .userName(let name): writer.member("user", name)
            case .address(let address): writer.member("address", address)
            }
            writer.member("seconds", UInt64(clamping: seconds))
            writer.member("reason", reason)
        }
    }
}

extension StorageEvent {
    /// nil of what is told otherwise (``DamageAlarm``).
    var topic: String? {
        switch self {
        case .failing: "$events/storage/failing"
        case .recovered: "$events/storage/recovered"
        case .damaged: nil
        }
    }

    func write(to writer: inout JSONWriter) {
        switch self {
        case .failing(let error): writer.member("error", error)
        case .recovered(let failures): writer.member("failures", UInt64(clamping: failures))
        case .damaged: break
        }
    }
}

extension ClientDescription {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("client", clientIdentifier)
        if let userName { writer.member("user", userName) }
        if let address { writer.member("address", address) }
    }
}

extension DisconnectCause {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("by", by)
        writer.member("reason", reason)
        if let reasonCode { writer.member("reasonCode", UInt64(reasonCode.rawValue)) }
    }
}

extension ProtocolVersion {
    fileprivate var text: String {
        switch self {
        case .v31: "3.1"
        case .v311: "3.1.1"
        case .v5: "5.0"
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: StaticString, _ value: String) {
        self.name(name)
        string(value)
    }

    fileprivate mutating func member(_ name: StaticString, _ value: Bool) {
        self.name(name)
        bool(value)
    }

    fileprivate mutating func member(_ name: StaticString, _ value: UInt64) {
        self.name(name)
        integer(value)
    }
}
