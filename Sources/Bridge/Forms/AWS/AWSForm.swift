public import Core
public import MQTTCodec
import Payload
public import Store

// The box as one thing of AWS IoT Core.
//
//     messages ────────────────────> topics made by a template
//     shadow, desired state (delta) ──> points are set ──> reported state
//     jobs <──────────────────────────> topics of the local broker

/// Speaks AWS IoT Core. The thing's identity is the client certificate of the connection.
public final class AWSForm: UpstreamForm {
    /// Bytes of a payload that the service takes.
    static let maximumPayload = 128 * 1024
    /// Bytes of a topic, and slashes in it, beyond which the service ends the connection.
    static let maximumTopic = 256
    static let maximumSlashes = 7

    let configuration: AWSConfiguration
    private let shadow: String
    private let jobs: String
    private var scanner = JSONScanner()
    private var desired: DesiredPoints
    private var isConnected = false
    private var isReady = false
    /// When the shadow is asked for: if nobody says that the subscriptions are there, or no answer has come.
    private var shadowDue = MonotonicTime.distantFuture
    /// Of the shadow that was seen last.
    private var version: Int64 = 0
    private var lastToken: UInt64 = 0
    private let name: String
    private var log = FirstWords()

    /// - Parameters:
    ///   - name: the bridge's, which begins the `id` of commands.
    ///   - devices: those that the configuration knows.
    public init(name: String, configuration: AWSConfiguration, devices: [FormDevice]) {
        self.name = name
        self.configuration = configuration
        let thing = "$aws/things/\(configuration.thing)"
        shadow = configuration.shadow.map { "\(thing)/shadow/name/\($0)" } ?? "\(thing)/shadow"
        jobs = "\(thing)/jobs"
        desired = DesiredPoints(name: name, devices: devices, timeout: configuration.commandTimeout)
        super.init()
    }

    // MARK: The connection

    /// At most eight in one SUBSCRIBE, which is the service's limit; the jobs' are asked for afterwards.
    public override var subscriptions: [SubscribePacket.Request] {
        ["update/delta", "update/rejected", "get/accepted", "get/rejected"].map { request("\(shadow)/\($0)") }
    }

    private func request(_ filter: String) -> SubscribePacket.Request {
        SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: .atLeastOnce))
    }

    public override func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] {
        isConnected = true
        isReady = false
        shadowDue = now.monotonic + .seconds(5)
        return []
    }

    public override func subscribed(now: Moment) -> [FormEffect] {
        guard isConnected, !isReady else { return [] }
        isReady = true
        let jobs = ["notify", "notify-next", "get/+", "start-next/+", "+/get/+", "+/update/+"].map { request("\(self.jobs)/\($0)") }
        return [.subscribe(jobs)] + askForShadow(now)
    }

    private func askForShadow(_ now: Moment) -> [FormEffect] {
        shadowDue = now.monotonic + .seconds(60)
        return [.publishUpstream(FormPublish(topic: "\(shadow)/get", payload: [], qos: .atMostOnce))]
    }

    public override func disconnected() {
        isConnected = false
        isReady = false
        version = 0
        desired.connectionLost()
    }

    public override func tick(now: Moment) -> [FormEffect] {
        guard isConnected else { return [] }
        var effects: [FormEffect] = []
        if now.monotonic >= shadowDue || desired.shouldAskAgain(now: now.monotonic) {
            effects += isReady ? askForShadow(now) : subscribed(now: now)
        }
        for outcome in desired.takeExpired(now: now.monotonic) { effects.append(report(outcome)) }
        return effects
    }

    // MARK: Up

    public override func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        let first = messages[0]
        guard let topic = upstreamTopic(of: first.message) else { return FormBatch(publishes: [], count: 1) }
        let made = CloudRecord.batch(
            messages, limit: configuration.batchSize,
            maximumBytes: min(maximumBytes - topic.utf8.count - 16, Self.maximumPayload), scanner: &scanner
        ) { self.upstreamTopic(of: $0.message) == topic }
        return FormBatch(publishes: [FormPublish(topic: topic, payload: made.payload)], count: made.count)
    }

    /// nil for a message that the service would not take by that name.
    private func upstreamTopic(of message: Message) -> String? {
        let topic: String
        if let (device, tail) = message.withTopic({ topic in
            DeviceTopicParts(topic).flatMap { parts in
                parts.device(in: topic).map { ($0, String(decoding: topic[parts.tail], as: UTF8.self)) }
            }
        }) {
            topic = Self.filled(
                configuration.topic,
                [
                    ("thing", configuration.thing), ("product", device.productKey), ("device", device.deviceKey),
                    ("tail", tail.hasPrefix("thing/") ? String(tail.dropFirst("thing/".count)) : tail),
                ])
        } else {
            let local = message.topic
            topic = Self.filled(
                configuration.otherTopic,
                [("thing", configuration.thing), ("topic", local.hasPrefix("/") ? String(local.dropFirst()) : local)])
        }
        let slashes = topic.utf8.count { $0 == UInt8(ascii: "/") }
        guard topic.utf8.count <= Self.maximumTopic, slashes <= Self.maximumSlashes, TopicName(topic) != nil else { return nil }
        return topic
    }

    /// A template with its names filled in; what it names and is not known stays as it is.
    static func filled(_ template: String, _ values: [(name: String, value: String)]) -> String {
        var text = ""
        var rest = template[...]
        while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            text += rest[..<start.lowerBound]
            let name = rest[start.upperBound..<end]
            text += values.first { $0.name == name }?.value ?? "${\(name)}"
            rest = rest[rest.index(after: end)...]
        }
        return text + rest
    }

    // MARK: Down

    public override func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? {
        let text = String(decoding: topic, as: UTF8.self)
        if text.hasPrefix("\(jobs)/") {
            let local = configuration.jobsTopic + text.dropFirst(jobs.count)
            return [.publishLocal(FormPublish(topic: local, payload: Array(payload)))]
        }
        guard text.hasPrefix("\(shadow)/") else { return nil }
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return log.warn("shadow", "AWS IoT sends a shadow that cannot be read: \(error)")
        }
        switch text.dropFirst(shadow.count + 1) {
        case "update/delta": return delta(now)
        case "get/accepted":
            shadowDue = .distantFuture
            return document(now)
        case "update/rejected": return rejected("an update of the shadow")
        // 404: there is no shadow yet.
        case "get/rejected":
            guard scanner.integer("code", of: JSONScanner.root) == 404 else { return rejected("the request for the shadow") }
            shadowDue = .distantFuture
            return []
        default: return []
        }
    }

    private func delta(_ now: Moment) -> [FormEffect] {
        guard isNew() else { return [] }
        let points = scanner.member("state", of: JSONScanner.root).flatMap { scanner.member("points", of: $0) }
        return apply(PointTree(scanner, points), now)
    }

    private func document(_ now: Moment) -> [FormEffect] {
        guard isNew(), let state = scanner.member("state", of: JSONScanner.root) else { return [] }
        func tree(_ node: Int?) -> PointTree { PointTree(scanner, node.flatMap { scanner.member("points", of: $0) }) }
        let wanted = tree(scanner.member("desired", of: state))
        return apply(wanted.difference(from: tree(scanner.member("reported", of: state))), now)
    }

    /// Messages may overtake each other: what is older than what was seen does not count.
    private func isNew() -> Bool {
        guard let version = scanner.integer("version", of: JSONScanner.root) else { return true }
        guard version >= self.version else { return false }
        self.version = version
        return true
    }

    private func rejected(_ what: String) -> [FormEffect] {
        let code = scanner.integer("code", of: JSONScanner.root).map { " with \($0)" } ?? ""
        let message = scanner.member("message", of: JSONScanner.root).flatMap { scanner.string($0) }.map { ": \($0.prefix(200))" }
        return log.warn("\(what)\(code)", "AWS IoT refuses \(what)\(code)\(message ?? "")")
    }

    private func apply(_ tree: PointTree, _ now: Moment) -> [FormEffect] {
        let (commands, refused) = desired.apply(tree, now: now.monotonic)
        return commands.map(FormEffect.publishLocal) + refused.map(report)
    }

    private func report(_ outcome: DesiredPoints.Outcome) -> FormEffect {
        lastToken &+= 1
        var payload = Array("{\"state\":{\"reported\":".utf8)
        payload += DesiredPoints.report(outcome)
        payload += "},\"clientToken\":\"\(name)-\(lastToken)\"}".utf8
        return .publishUpstream(FormPublish(topic: "\(shadow)/update", payload: payload, qos: .atMostOnce))
    }

    // MARK: Local

    public override var localFilters: [TopicFilter] {
        let jobs = ["get", "start-next", "+/get", "+/update"].map { "\(configuration.jobsTopic)/\($0)" }
        return (DesiredPoints.answerFilters + jobs).compactMap { TopicFilter($0) }
    }

    public override func local(_ message: Message, now: Moment) -> [FormEffect] {
        guard isConnected else { return [] }
        let topic = message.topic
        if topic.hasPrefix("\(configuration.jobsTopic)/") {
            let upstream = jobs + topic.dropFirst(configuration.jobsTopic.count)
            return [.publishUpstream(FormPublish(topic: upstream, payload: message.payload, qos: .atMostOnce))]
        }
        return desired.answered(message, now: now.monotonic, scanner: &scanner).map { [report($0)] } ?? []
    }
}
