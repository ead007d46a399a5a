public import Core
public import MQTTCodec
import Payload
public import Store

// The box as one device of an Azure IoT Hub.
//
//     messages ──────────────────> devices/{device}/messages/events/{properties}
//     direct method ─────────────> a command to a device here ──> its answer, with a status
//     twin, desired properties ──> points are set ──────────────> reported properties

/// Speaks Azure IoT Hub (MQTT 3.1.1, API version 2021-04-12).
///
/// The secret's file holds the device's key as the hub shows it, unless a certificate is the identity.
public final class AzureForm: UpstreamForm {
    static let apiVersion = "2021-04-12"
    /// Bytes of a message with its properties.
    static let maximumMessage = 256 * 1024
    /// Before this time (2024-01-01) the clock has not been set.
    static let earliestTime = Timestamp(milliseconds: 1_704_067_200_000)

    let configuration: AzureConfiguration
    var device = ""
    var scanner = JSONScanner()
    var desired: DesiredPoints
    var methods = PendingCommands<String>()
    let name: String
    var lastMethod: UInt64 = 0

    private var isConnected = false
    private var tokenEnd: MonotonicTime?
    private var lastRequest: UInt64 = 0
    /// The request for the whole twin, and when it is made again.
    private var twinRequest: (identifier: String, deadline: MonotonicTime)?
    /// When the twin is asked for if nobody says that the subscriptions are there.
    private var twinDue: MonotonicTime?
    /// Of the desired properties.
    private var version: Int64?
    private var log = FirstWords()

    /// - Parameters:
    ///   - name: the bridge's, which begins the `id` of commands.
    ///   - devices: those that the configuration knows.
    public init(name: String, configuration: AzureConfiguration, devices: [FormDevice]) {
        self.name = name
        self.configuration = configuration
        desired = DesiredPoints(name: name, devices: devices, timeout: configuration.commandTimeout)
        super.init()
    }

    // MARK: The connection

    public override func prepare(_ packet: inout ConnectPacket, secret: [UInt8]?, now: Moment) throws(FormError) {
        device = packet.clientIdentifier
        packet.version = .v311
        packet.properties = Properties()
        packet.userName = "\(configuration.hub)/\(device)/?api-version=\(Self.apiVersion)"
        packet.password = nil
        tokenEnd = nil
        guard configuration.authentication == .sharedAccessKey else { return }
        guard let secret else { throw FormError("Azure needs a password-file with the device's key, or x509") }
        guard now.wall >= Self.earliestTime else {
            throw FormError("the clock is not set, and a token has an end that the hub compares with its own clock")
        }
        let seconds = configuration.tokenLifetime.wholeMilliseconds / 1000
        let token = try AzureToken.make(
            resource: "\(configuration.hub)/devices/\(device)", key: secret, expiry: now.wall.milliseconds / 1000 + seconds)
        packet.password = Array(token.utf8)
        // The hub ends a connection whose token has ended. A tenth of its life is left for making a new one.
        tokenEnd = now.monotonic + .milliseconds(seconds * 900)
    }

    public override var subscriptions: [SubscribePacket.Request] {
        // The hub takes few subscriptions, and these are all there are.
        ["$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#"].map {
            SubscribePacket.Request(filter: $0, options: SubscriptionOptions(qos: .atMostOnce))
        } + [
            SubscribePacket.Request(
                filter: "devices/\(device)/messages/devicebound/#", options: SubscriptionOptions(qos: .atLeastOnce))
        ]
    }

    public override func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] {
        isConnected = true
        twinDue = now.monotonic + .seconds(5)
        return []
    }

    public override func subscribed(now: Moment) -> [FormEffect] { isConnected ? askForTwin(now) : [] }

    public override func disconnected() {
        isConnected = false
        twinRequest = nil
        twinDue = nil
        version = nil
        methods.removeAll()
        desired.connectionLost()
    }

    public override func tick(now: Moment) -> [FormEffect] {
        guard isConnected else { return [] }
        if let tokenEnd, now.monotonic >= tokenEnd {
            self.tokenEnd = nil
            return [.reconnect("the token is about to end")]
        }
        var effects: [FormEffect] = []
        if let twinDue, now.monotonic >= twinDue { effects += askForTwin(now) }
        if let request = twinRequest, now.monotonic >= request.deadline { effects += askForTwin(now) }
        if desired.shouldAskAgain(now: now.monotonic), twinRequest == nil { effects += askForTwin(now) }
        for outcome in desired.takeExpired(now: now.monotonic) { effects.append(report(outcome)) }
        for (_, request) in methods.takeExpired(now: now.monotonic) {
            effects.append(methodAnswer(request, code: DesiredPoints.timeoutCode, message: "the device does not answer"))
        }
        return effects
    }

    // MARK: Messages

    public override func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        let first = messages[0]
        let device = CloudRecord.device(of: first.message)
        let isReport = first.message.isReport(at: reportTopic)
        let topic = eventsTopic(device, first, isReport: isReport)
        // Of one device, so that the hub can route by it.
        let made = CloudRecord.batch(
            messages, limit: configuration.batchSize,
            maximumBytes: min(maximumBytes, Self.maximumMessage) - topic.utf8.count - 16, scanner: &scanner
        ) {
            CloudRecord.device(of: $0.message) == device && $0.isBackfill == first.isBackfill
                && $0.isTimeUncertain == first.isTimeUncertain && $0.message.isReport(at: self.reportTopic) == isReport
        }
        return FormBatch(publishes: [FormPublish(topic: topic, payload: made.payload)], count: made.count)
    }

    /// The topic with the property bag: names and values, percent-encoded.
    private func eventsTopic(_ device: DeviceIdentifier?, _ first: FormInput, isReport: Bool) -> String {
        var bag = [("$.ct", "application/json"), ("$.ce", "utf-8")]
        if let device { bag += [("product", device.productKey), ("device", device.deviceKey)] }
        bag += [("time", "\(first.message.publishedAt.milliseconds)"), ("backfill", first.isBackfill ? "true" : "false")]
        if first.isTimeUncertain { bag.append(("timeUncertain", "true")) }
        if isReport { bag.append(("report", "lost")) }
        let text = bag.map { "\(PercentEncoding.encode($0))=\(PercentEncoding.encode($1))" }.joined(separator: "&")
        return "devices/\(self.device)/messages/events/\(text)"
    }

    public override func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? {
        switch AzureTopic(topic, device: device) {
        case .method(let name, let request): method(name, request, payload, now)
        case .twinAnswer(let status, let request): twinAnswered(status, request, payload, now)
        case .desired(let version): desiredChanged(version, payload, now)
        case .message: [.publishLocal(FormPublish(topic: configuration.messagesTopic, payload: Array(payload)))]
        case nil: nil
        }
    }

    public override var localFilters: [TopicFilter] {
        (DesiredPoints.answerFilters + ["/sys/+/+/thing/service/measurepoint/get_reply", "/sys/+/+/thing/service/+"])
            .compactMap { TopicFilter($0) }
    }

    public override func local(_ message: Message, now: Moment) -> [FormEffect] {
        guard isConnected else { return [] }
        if let outcome = desired.answered(message, now: now.monotonic, scanner: &scanner) { return [report(outcome)] }
        return methodAnswered(message)
    }

    // MARK: The twin

    private func request() -> String {
        lastRequest &+= 1
        return "\(lastRequest)"
    }

    private func askForTwin(_ now: Moment) -> [FormEffect] {
        let identifier = request()
        twinDue = nil
        twinRequest = (identifier, now.monotonic + .seconds(60))
        return [.publishUpstream(FormPublish(topic: "$iothub/twin/GET/?$rid=\(identifier)", payload: [], qos: .atMostOnce))]
    }

    private func twinAnswered(
        _ status: Int, _ request: String, _ payload: UnsafeRawBufferPointer, _ now: Moment
    ) -> [FormEffect] {
        guard (200..<300).contains(status) else {
            // The twin is asked for again when its time-out has passed.
            return log.warn("twin \(status)", "the hub answers a request about the twin with \(status)")
        }
        guard request == twinRequest?.identifier else { return [] }
        twinRequest = nil
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return log.warn("twin", "the hub's twin cannot be read: \(error)")
        }
        let wanted = scanner.member("desired", of: JSONScanner.root)
        version = wanted.flatMap { scanner.integer("$version", of: $0) }
        let reported = scanner.member("reported", of: JSONScanner.root).flatMap { scanner.member("points", of: $0) }
        let tree = PointTree(scanner, wanted.flatMap { scanner.member("points", of: $0) })
        return apply(tree.difference(from: PointTree(scanner, reported)), now)
    }

    private func desiredChanged(_ version: Int64?, _ payload: UnsafeRawBufferPointer, _ now: Moment) -> [FormEffect] {
        // The whole twin is on its way, and has this too.
        guard twinRequest == nil else { return [] }
        if let version, let last = self.version {
            guard version > last else { return [] }
            // Something in between did not come.
            guard version == last + 1 else { return askForTwin(now) }
        }
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return log.warn("desired", "a change of the desired properties cannot be read: \(error)")
        }
        self.version = version ?? scanner.integer("$version", of: JSONScanner.root)
        return apply(PointTree(scanner, scanner.member("points", of: JSONScanner.root)), now)
    }

    private func apply(_ tree: PointTree, _ now: Moment) -> [FormEffect] {
        let (commands, refused) = desired.apply(tree, now: now.monotonic)
        return commands.map(FormEffect.publishLocal) + refused.map(report)
    }

    private func report(_ outcome: DesiredPoints.Outcome) -> FormEffect {
        .publishUpstream(
            FormPublish(
                topic: "$iothub/twin/PATCH/properties/reported/?$rid=\(request())", payload: DesiredPoints.report(outcome),
                qos: .atMostOnce))
    }
}
