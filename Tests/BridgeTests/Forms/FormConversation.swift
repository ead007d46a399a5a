import Core
import MQTTCodec
import Payload
import Store

@testable import Bridge

/// A form without a bridge around it: the test plays the upstream, the local broker and the clock.
final class FormConversation<Form: UpstreamForm> {
    let form: Form
    private(set) var now = Moment(wall: Timestamp(milliseconds: 1_750_000_000_000), monotonic: MonotonicTime(nanoseconds: 1_000_000_000))
    private var sequence: Int64 = 0
    /// What the form has wanted, in order, since it was asked last.
    private var effects: [FormEffect] = []

    init(_ form: Form) { self.form = form }

    /// The CONNECT that the form makes of the configuration's.
    func connect(secret: String?, clientIdentifier: String = "box", wall: Int64? = nil) throws(FormError) -> ConnectPacket {
        var packet = ConnectPacket(version: .v5, clientIdentifier: clientIdentifier, cleanStart: false, keepAlive: 60)
        if let wall { now.wall = Timestamp(milliseconds: wall) }
        try form.prepare(&packet, secret: secret.map { Array($0.utf8) }, now: now)
        return packet
    }

    /// Connects, and the upstream takes the subscriptions.
    func start(secret: String?) throws(FormError) {
        _ = try connect(secret: secret)
        accept()
    }

    func accept() {
        effects += form.connected(sessionPresent: false, now: now)
        effects += form.subscribed(now: now)
    }

    /// What the form has answered to a call of the test's own.
    func carryOut(_ effects: [FormEffect]) { self.effects += effects }

    func wait(_ duration: Duration) {
        now.monotonic += duration
        now.wall.milliseconds += duration.wholeMilliseconds
        effects += form.tick(now: now)
    }

    @discardableResult
    func upstream(_ topic: String, _ payload: String) -> Bool { upstream(topic, Array(payload.utf8)) }

    /// - Returns: whether it is a message of the form's.
    @discardableResult
    func upstream(_ topic: String, _ payload: [UInt8]) -> Bool {
        let made = Array(topic.utf8).withUnsafeBytes { topic in
            payload.withUnsafeBytes { form.received(topic: topic, payload: $0, now: now) }
        }
        effects += made ?? []
        return made != nil
    }

    /// A local message, which the form hears if one of its filters matches.
    func local(_ topic: String, _ payload: String) {
        guard form.localFilters.contains(where: { $0.matches(topic) }) else { return }
        effects += form.local(message(topic, Array(payload.utf8)), now: now)
    }

    private func message(_ topic: String, _ payload: [UInt8]) -> Message {
        Message.create(topic: topic, payload: payload, qos: .atLeastOnce, publishedAt: Timestamp(milliseconds: 1_700_000_000_500))
    }

    func input(_ topic: String, _ payload: String, isBackfill: Bool = false, isTimeUncertain: Bool = false) -> FormInput {
        input(topic, Array(payload.utf8), isBackfill: isBackfill, isTimeUncertain: isTimeUncertain)
    }

    func input(_ topic: String, _ payload: [UInt8], isBackfill: Bool = false, isTimeUncertain: Bool = false) -> FormInput {
        sequence += 1
        return FormInput(
            message: message(topic, payload), isBackfill: isBackfill, sequence: sequence, isTimeUncertain: isTimeUncertain)
    }

    /// What becomes of messages: `topic payload` of each PUBLISH, and how many messages they stand for; nil while they wait.
    func batch(_ inputs: [FormInput], maximumBytes: Int = 1 << 20) -> (publishes: [String], count: Int)? {
        form.batch(inputs, maximumBytes: maximumBytes, now: now).map { ($0.publishes.map(Self.text), $0.count) }
    }

    /// As ``batch(_:maximumBytes:)`` for one message.
    func send(_ topic: String, _ payload: String, isBackfill: Bool = false) -> [String]? {
        batch([input(topic, payload, isBackfill: isBackfill)])?.publishes
    }

    private static func text(_ publish: FormPublish) -> String {
        "\(String(decoding: publish.topic, as: UTF8.self)) \(String(decoding: publish.payload, as: UTF8.self))"
    }

    /// What the form has wanted since the last time, a line for each: `up topic payload`, `local topic payload`,
    /// `subscribe filter filter…`, `reconnect: why`, `warn: what`.
    func told() -> [String] {
        defer { effects = [] }
        return effects.map { effect in
            switch effect {
            case .publishUpstream(let publish): "up \(Self.text(publish))"
            case .publishLocal(let publish): "local \(Self.text(publish))"
            case .subscribe(let requests): "subscribe \(requests.map(\.filter).joined(separator: " "))"
            case .keep(let secret): "keep \(String(decoding: secret, as: UTF8.self))"
            case .reconnect(let why): "reconnect: \(why)"
            case .warn(let what): "warn: \(what)"
            }
        }
    }

    /// The payloads that the form has wanted published upstream to a topic since the last time.
    func upstreamPayloads(_ topic: String) -> [[UInt8]] {
        defer { effects = [] }
        return effects.compactMap { effect in
            guard case .publishUpstream(let publish) = effect, publish.topic == Array(topic.utf8) else { return nil }
            return publish.payload
        }
    }
}

/// A value of a JSON text: members and elements by their names and numbers, as its own text.
func json(_ text: String, _ path: String...) -> String? {
    var scanner = JSONScanner()
    return Array(text.utf8).withUnsafeBytes { bytes in
        guard (try? scanner.scan(bytes)) != nil else { return nil }
        var node: Int? = JSONScanner.root
        for step in path {
            node = node.flatMap { node in
                if let index = Int(step) { return scanner.element(index, of: node) }
                return Array(step.utf8).withUnsafeBytes { scanner.member($0, of: node) }
            }
        }
        return node.map { scanner.string($0) ?? String(decoding: scanner.raw($0), as: UTF8.self) }
    }
}

extension String {
    /// Of `topic payload`.
    var payloadText: String { firstIndex(of: " ").map { String(self[index(after: $0)...]) } ?? self }
    var topicText: String { String(prefix { $0 != " " }) }
}

extension FormDevice {
    /// A device with a point that can be written and one that cannot.
    static let meter = FormDevice(
        product: "meter", key: "m1",
        points: [
            FormPoint(identifier: "setpoint", type: .double, isWritable: true),
            FormPoint(identifier: "temp", type: .double),
        ])
}
