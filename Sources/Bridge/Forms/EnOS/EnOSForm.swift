public import Core
public import MQTTCodec
import Payload
public import Store

// The box as a gateway of the EnOS platform, and the devices behind it as its sub-devices.
//
//     CONNECT, signed ──> SUBSCRIBE to the gateway's own topics ──> combine/login(/batch) for the devices
//          ──> SUBSCRIBE to their commands ──> posts, each when its device is logged in
//
// Topics and payloads are those of the box itself, so that most of what a device says goes up as it is. A post of points is
// written anew, because the platform takes less than the box's own readers, and because history has a topic of its own.

/// Speaks EnOS (device connection over MQTT 3.1.1) as a gateway.
///
/// The secret's file holds the gateway's secret on a line of its own, and `product/device secret` for each device behind it.
public final class EnOSForm: UpstreamForm {
    /// Bytes of a payload that the platform takes.
    static let maximumPayload = 512 * 1024

    let configuration: EnOSConfiguration
    /// The client identifier of the configuration, which the one of CONNECT is made of.
    var clientIdentifier = ""
    var sessions = EnOSSessions()
    var scanner = JSONScanner()
    var lastIdentifier: UInt64 = 0
    var isConnected = false
    /// Logins have begun on this connection.
    var isReady = false
    /// When logins begin if nobody says that the subscriptions are there.
    var readyAt = MonotonicTime.distantFuture
    var commands = PendingCommands<EnOSCommand>()
    var unanswered = EnOSUnanswered()
    var log = FirstWords()
    /// On a connection that is there for nothing but the gateway's own secret.
    var activation: EnOSActivation?
    /// Answers of the platform that were not 200, by their code.
    public internal(set) var refusals: [Int: UInt64] = [:]

    public init(configuration: EnOSConfiguration) {
        self.configuration = configuration
        super.init()
    }

    var gateway: DeviceIdentifier { configuration.gateway }

    func nextIdentifier() -> UInt64 {
        lastIdentifier &+= 1
        return lastIdentifier
    }

    // MARK: The connection

    public override func prepare(_ packet: inout ConnectPacket, secret: [UInt8]?, now: Moment) throws(FormError) {
        guard let secret else { throw FormError("EnOS needs a password-file with the gateway's secret") }
        let secrets = try EnOSSecrets(secret)
        // A secret that could not be kept yet is not forgotten with its connection.
        activation = configuration.activates && kept == nil ? activation ?? EnOSActivation() : nil
        sessions.update(secrets.devices.filter { $0.identifier != gateway })
        clientIdentifier = packet.clientIdentifier
        let signed = configuration.compression == .gzip ? "\(clientIdentifier){compress=GZIP}" : clientIdentifier
        let timestamp = now.wall.milliseconds
        packet.version = .v311
        packet.cleanStart = true
        packet.properties = Properties()
        packet.clientIdentifier =
            "\(signed)|securemode=\(activation == nil ? 2 : 3),signmethod=\(configuration.signMethod.rawValue),timestamp=\(timestamp)|"
        packet.userName = "\(gateway.deviceKey)&\(gateway.productKey)"
        packet.password = Array(
            EnOSSignature.sign(
                clientIdentifier: signed, device: gateway, timestamp: timestamp,
                secret: configuration.activates ? kept ?? secrets.gateway : secrets.gateway, method: configuration.signMethod
            ).utf8)
    }

    public override var keeps: FormKept? { configuration.activates ? .secret : nil }

    public override func keptOnDisk(_ failure: String?, now: Moment) -> [FormEffect] { activationKept(failure, now: now) }

    public override var subscriptions: [SubscribePacket.Request] {
        let session = "/ext/session/\(gateway.productKey)/\(gateway.deviceKey)/"
        if activation != nil { return [request(session + EnOSActivation.tail)] }
        let own = ["login_reply", "login/batch_reply", "enable", "disable", "delete"].map { "combine/\($0)" }
        return own.map { request(session + $0) } + deviceSubscriptions(gateway)
    }

    func deviceSubscriptions(_ device: DeviceIdentifier) -> [SubscribePacket.Request] {
        (EnOSTopic.commandTails + EnOSTopic.replyTails).map { request("/sys/\(device.productKey)/\(device.deviceKey)/\($0)") }
    }

    private func request(_ filter: String) -> SubscribePacket.Request {
        SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: .atLeastOnce))
    }

    public override func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] {
        isConnected = true
        isReady = false
        // Logins end with a connection.
        sessions.loggedOut()
        readyAt = now.monotonic + .seconds(5)
        return []
    }

    public override func subscribed(now: Moment) -> [FormEffect] {
        guard isConnected, !isReady, activation == nil else { return [] }
        isReady = true
        return logins(now: now)
    }

    public override func disconnected() {
        isConnected = false
        isReady = false
        sessions.loggedOut()
        // The platform does not wait for an answer on another connection.
        commands.removeAll()
        unanswered.connectionLost()
    }

    public override func tick(now: Moment) -> [FormEffect] {
        if activation != nil { return activationDue(now: now) }
        guard isConnected else { return [] }
        var effects: [FormEffect] = []
        if !isReady, now.monotonic >= readyAt { effects += subscribed(now: now) }
        guard isReady else { return effects }
        for lost in sessions.takeExpired(now: now.monotonic) {
            effects += log.warn("login time-out", "EnOS does not answer the login of \(lost); it is tried again")
        }
        effects += logins(now: now)
        for (key, command) in commands.takeExpired(now: now.monotonic) {
            effects += timedOut(key, command)
        }
        return effects
    }

    // MARK: Messages

    public override func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        isReady ? send(messages, maximumBytes: maximumBytes) : nil
    }

    public override func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? { take(topic, payload, now) }

    public override var localFilters: [TopicFilter] { EnOSTopic.answerFilters.compactMap { TopicFilter($0) } }

    public override func local(_ message: Message, now: Moment) -> [FormEffect] { answer(message) }

    // MARK: What is common to both directions

    /// Compressed, if that was announced.
    func publish(_ topic: String, _ payload: [UInt8], qos: QoS = .atMostOnce) -> FormPublish {
        FormPublish(topic: topic, payload: sealed(payload), qos: qos)
    }

    func sealed(_ payload: [UInt8]) -> [UInt8] {
        configuration.compression == .gzip ? Gzip.compress(payload) : payload
    }

    /// Counts an answer that is not 200.
    func refused(_ what: String, code: Int, message: String) -> [FormEffect] {
        if refusals[code] != nil || refusals.count < 256 { refusals[code, default: 0] &+= 1 }
        let reason = message.isEmpty ? "" : ": \(message)"
        return log.warn("\(what) \(code)", "EnOS answers \(what) with \(EnOSCode.text(code))\(reason)")
    }
}
