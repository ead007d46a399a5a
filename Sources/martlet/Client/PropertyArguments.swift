import ArgumentParser
import MQTTCodec

/// The properties of MQTT 5.0 that the options -D name: `COMMAND PROPERTY VALUE`, and `COMMAND user-property NAME VALUE`.
struct PropertyArguments: Equatable {
    /// The packets that properties are given for, as the options name them.
    enum Command: String, CaseIterable {
        case connect, publish, subscribe, disconnect, will
    }

    var connect = Properties()
    var disconnect = Properties()
    var message = MessageProperties()
    var messageExpiryInterval: UInt32?
    var topicAlias: UInt16?
    var will = MessageProperties()
    var willMessageExpiryInterval: UInt32?
    var willDelayInterval: UInt32?
    var subscriptionIdentifier: UInt32?

    /// - Parameters:
    ///   - words: those of all options, one after the other.
    ///   - allowed: the commands that the program has.
    init(_ words: [String], allowed: Set<Command>) throws(ValidationError) {
        var rest = words[...]
        while let first = rest.popFirst() {
            guard let command = Command(rawValue: first), allowed.contains(command) else {
                let names = Command.allCases.filter { allowed.contains($0) }.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("-D \(first): the commands are \(names)")
            }
            guard let property = rest.popFirst(), let value = rest.popFirst() else {
                throw ValidationError("-D \(first): a property and its value have to follow")
            }
            if property == "user-property" {
                guard let second = rest.popFirst() else {
                    throw ValidationError("-D \(first) user-property: a name and a value have to follow")
                }
                try add(Properties.UserProperty(name: value, value: second), to: command)
            } else {
                try set(property, value, of: command)
            }
        }
    }

    private mutating func add(_ property: Properties.UserProperty, to command: Command) throws(ValidationError) {
        switch command {
        case .connect: connect.userProperties.append(property)
        case .disconnect: disconnect.userProperties.append(property)
        case .publish: message.userProperties.append(property)
        case .will: will.userProperties.append(property)
        case .subscribe: throw ValidationError("-D subscribe user-property is not supported")
        }
    }

    private mutating func set(_ property: String, _ value: String, of command: Command) throws(ValidationError) {
        switch (command, property) {
        case (.connect, "session-expiry-interval"): connect.sessionExpiryInterval = try number(value, property)
        case (.connect, "receive-maximum"): connect.receiveMaximum = try number(value, property, from: 1)
        case (.connect, "maximum-packet-size"): connect.maximumPacketSize = try number(value, property, from: 1)
        case (.connect, "topic-alias-maximum"): connect.topicAliasMaximum = try number(value, property)
        case (.connect, "request-problem-information"): connect.requestProblemInformation = try flag(value, property)
        case (.connect, "request-response-information"): connect.requestResponseInformation = try flag(value, property)
        case (.connect, "authentication-method"): connect.authenticationMethod = value
        case (.connect, "authentication-data"): connect.authenticationData = Array(value.utf8)
        case (.disconnect, "session-expiry-interval"): disconnect.sessionExpiryInterval = try number(value, property)
        case (.publish, "message-expiry-interval"): messageExpiryInterval = try number(value, property)
        case (.publish, "topic-alias"): topicAlias = try number(value, property, from: 1)
        case (.publish, _): try set(property, value, in: &message, of: command)
        case (.will, "message-expiry-interval"): willMessageExpiryInterval = try number(value, property)
        case (.will, "will-delay-interval"): willDelayInterval = try number(value, property)
        case (.will, _): try set(property, value, in: &will, of: command)
        case (.subscribe, "subscription-identifier"):
            let identifier: UInt32 = try number(value, property, from: 1)
            guard identifier <= 268_435_455 else { throw ValidationError("-D … subscription-identifier is 1…268435455") }
            subscriptionIdentifier = identifier
        default: throw ValidationError("-D \(command.rawValue) has no property \(property)")
        }
    }

    private func set(
        _ property: String, _ value: String, in message: inout MessageProperties, of command: Command
    ) throws(ValidationError) {
        switch property {
        case "payload-format-indicator": message.payloadFormatIsUTF8 = try flag(value, property)
        case "content-type": message.contentType = value
        case "response-topic": message.responseTopic = value
        case "correlation-data": message.correlationData = Array(value.utf8)
        default: throw ValidationError("-D \(command.rawValue) has no property \(property)")
        }
    }

    private func number<Number: FixedWidthInteger & UnsignedInteger>(
        _ value: String, _ property: String, from least: Number = 0
    ) throws(ValidationError) -> Number {
        guard let number = Number(value), number >= least else {
            throw ValidationError("-D … \(property) is \(least)…\(Number.max)")
        }
        return number
    }

    private func flag(_ value: String, _ property: String) throws(ValidationError) -> Bool {
        guard value == "0" || value == "1" else { throw ValidationError("-D … \(property) is 0 or 1") }
        return value == "1"
    }
}
