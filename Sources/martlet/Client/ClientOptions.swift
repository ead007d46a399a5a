import ArgumentParser
import Core
import Glibc
import MQTTCodec

/// What `pub` and `sub` have in common beside the broker: who they are, their session and their will.
struct ClientOptions: ParsableArguments {
    @Option(name: [.customShort("i"), .long], help: "The client identifier (default: one that the broker chooses).")
    var id: String?

    @Option(name: [.customShort("I"), .long], help: "A client identifier that begins like this and ends with the process's number.")
    var idPrefix: String?

    @Flag(
        name: [.customShort("c"), .customLong("disable-clean-session")],
        help: "Keeps the session at the broker, and goes on with it if there is one; needs --id.")
    var keepsSession = false

    @Option(
        name: [.customShort("x"), .long], parsing: .unconditional,
        help: "MQTT 5: seconds that the session lasts after the connection; -1 for ever (default: 0, with -c for ever).")
    var sessionExpiryInterval: String?

    @Option(name: [.customShort("k"), .customLong("keepalive")], help: "Seconds between signs of life, 0 for none.")
    var keepAlive: UInt16 = 60

    @Option(name: [.customShort("M"), .long], help: "QoS 1 and 2: messages that may be unacknowledged.")
    var maxInflight = 20

    @Option(
        name: [.customShort("D"), .long], parsing: .upToNextOption,
        help: """
            MQTT 5: a property as COMMAND PROPERTY VALUE, with connect, publish, subscribe, disconnect or will as the command; \
            also COMMAND user-property NAME VALUE.
            """)
    var property: [String] = []

    @Option(help: "The topic of the will.")
    var willTopic: String?

    @Option(parsing: .unconditional, help: "The payload of the will (default: empty).")
    var willPayload: String?

    @Option(help: "The quality of service of the will.")
    var willQos: UInt8 = 0

    @Flag(help: "The will is retained.")
    var willRetain = false

    @Flag(name: [.customShort("d"), .long], help: "Says on the standard error what happens.")
    var debug = false

    @Flag(help: "Says no errors; the exit status tells.")
    var quiet = false

    mutating func validate() throws {
        guard id == nil || idPrefix == nil else { throw ValidationError("give --id or --id-prefix, not both") }
        guard !keepsSession || id != nil else { throw ValidationError("--disable-clean-session needs --id: the session is found by it") }
        guard (1...59_999).contains(maxInflight) else { throw ValidationError("--max-inflight is 1…59999") }
        guard willTopic != nil || (willPayload == nil && willQos == 0 && !willRetain) else {
            throw ValidationError("a will needs --will-topic")
        }
        if let willTopic, TopicName(willTopic) == nil { throw ValidationError("--will-topic \(willTopic): not a topic to publish to") }
        guard QoS(rawValue: willQos) != nil else { throw ValidationError("--will-qos is 0, 1 or 2") }
        if let sessionExpiryInterval, expiry(sessionExpiryInterval) == nil {
            throw ValidationError("--session-expiry-interval is 0…4294967295 or -1")
        }
    }

    private func expiry(_ text: String) -> UInt32? { text == "-1" || text == "∞" ? .max : UInt32(text) }

    /// What the options -D say.
    ///
    /// - Parameter commands: those that the program has beside `connect`, `disconnect` and `will`.
    func properties(
        _ commands: Set<PropertyArguments.Command>, version: ProtocolVersion
    ) throws(ValidationError) -> PropertyArguments {
        let properties = try PropertyArguments(property, allowed: commands.union([.connect, .disconnect, .will]))
        guard version == .v5 || property.isEmpty else { throw ValidationError("-D needs MQTT 5: -V 5") }
        guard version == .v5 || sessionExpiryInterval == nil else {
            throw ValidationError("--session-expiry-interval needs MQTT 5: -V 5")
        }
        return properties
    }

    /// The CONNECT that the options ask for.
    func packet(
        version: ProtocolVersion, userName: String?, password: [UInt8]?, properties: PropertyArguments
    ) throws(ClientError) -> ConnectPacket {
        var connect = properties.connect
        if version == .v5 {
            if let sessionExpiryInterval {
                connect.sessionExpiryInterval = expiry(sessionExpiryInterval)
            } else if keepsSession, connect.sessionExpiryInterval == nil {
                connect.sessionExpiryInterval = .max
            }
        }
        // [MQTT-3.1.2-22] of MQTT 3.1.1: no password without a user name.
        guard version == .v5 || password == nil || userName != nil else {
            throw .usage("before MQTT 5 a password needs a user name: --username")
        }
        return ConnectPacket(
            version: version, clientIdentifier: clientIdentifier(version), cleanStart: !keepsSession, keepAlive: keepAlive,
            will: try will(properties), userName: userName, password: password, properties: connect)
    }

    private func clientIdentifier(_ version: ProtocolVersion) -> String {
        if let id { return id }
        if let idPrefix { return "\(idPrefix)\(getpid())" }
        // MQTT 3.1 has no empty ones.
        return version == .v31 ? "martlet-\(getpid())" : ""
    }

    private func will(_ properties: PropertyArguments) throws(ClientError) -> Will? {
        guard let willTopic, let qos = QoS(rawValue: willQos) else { return nil }
        do throws(EncodeError) {
            return Will(
                topic: willTopic, payload: Array((willPayload ?? "").utf8), qos: qos, retain: willRetain,
                forwardedProperties: try properties.will.encoded(), delayInterval: properties.willDelayInterval ?? 0,
                messageExpiryInterval: properties.willMessageExpiryInterval)
        } catch {
            throw .usage("a property of the will is longer than 65535 bytes")
        }
    }
}
