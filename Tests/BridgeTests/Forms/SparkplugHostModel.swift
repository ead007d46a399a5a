import Core
import MQTTCodec
import Payload
import Store
import Testing

@testable import Bridge

/// A host application that holds an edge node to the rules: births before data, numbers without gaps, aliases that were told.
/// A message becomes a line: `DDATA meter:m1 temp=21.5@1000 bad (timeout)`, with the types in births.
struct SparkplugHostModel {
    private struct Known {
        var name: String
        var type: SparkplugDataType
    }

    private var sequence: UInt64?
    private(set) var deathNumber: UInt64?
    private var born: Set<String> = []
    private var aliases: [UInt64: Known] = [:]
    /// By topic level of the device, or "" for the node.
    private var aliasesOf: [String: Set<UInt64>] = [:]

    mutating func take(_ publish: FormPublish) -> String {
        let levels = String(decoding: publish.topic, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        #expect(levels.count >= 4 && levels[0] == "spBv1.0" && levels[1] == "group" && levels[3] == "node", "\(levels)")
        #expect(!publish.retain)
        guard let payload = publish.payload.withUnsafeBytes({ try? SparkplugPayload.read($0) }), levels.count >= 4 else {
            Issue.record("not a payload: \(publish)")
            return ""
        }
        let type = levels[2]
        let device = levels.count == 5 ? levels[4] : ""
        #expect(type.hasPrefix("D") == (levels.count == 5))
        #expect(payload.timestamp != nil)
        if type == "NDEATH" {
            #expect(payload.sequence == nil && payload.metrics.count == 1)
            let number = payload.metrics.first?.value
            #expect(number == deathNumber.map(SparkplugWireValue.long), "the bdSeq of the birth")
            born = []
            sequence = nil
        } else {
            count(payload, type)
            if type.hasSuffix("BIRTH") { birth(payload, type, device) } else { #expect(born.contains(device), "\(type) before a birth") }
            if type == "DDEATH" { born.remove(device) }
        }
        let metrics = payload.metrics.map { text($0, isBirth: type.hasSuffix("BIRTH"), type, device) }
        return ([type] + (device.isEmpty ? [] : [device]) + metrics).joined(separator: " ")
    }

    private mutating func count(_ payload: SparkplugPayload, _ type: String) {
        if type == "NBIRTH" {
            #expect(payload.sequence == 0)
        } else {
            #expect(payload.sequence == sequence.map { ($0 + 1) % 256 }, "\(type) after \(String(describing: sequence))")
        }
        sequence = payload.sequence
    }

    private mutating func birth(_ payload: SparkplugPayload, _ type: String, _ device: String) {
        if type == "NBIRTH" {
            born = []
            aliases = [:]
            aliasesOf = [:]
            if case .long(let number)? = payload.metrics.first(where: { $0.name == "bdSeq" })?.value { deathNumber = number }
            #expect(payload.metrics.contains { $0.name == "Node Control/Rebirth" && $0.alias == nil && $0.value == .boolean(false) })
        } else {
            #expect(born.contains(""), "DBIRTH before NBIRTH")
        }
        born.insert(device)
        for alias in aliasesOf[device] ?? [] { aliases[alias] = nil }
        aliasesOf[device] = []
        for metric in payload.metrics {
            #expect(metric.name != nil && metric.dataType != nil && metric.timestamp != nil && (metric.value != nil || metric.isNull))
            guard let alias = metric.alias, let name = metric.name, let type = metric.dataType else { continue }
            #expect(aliases[alias] == nil, "alias \(alias) twice")
            aliases[alias] = Known(name: name, type: type)
            aliasesOf[device]?.insert(alias)
        }
    }

    private func text(_ metric: SparkplugMetric, isBirth: Bool, _ type: String, _ device: String) -> String {
        let known: Known?
        if isBirth || type == "NDEATH" {
            known = Known(name: metric.name ?? "?", type: metric.dataType ?? .unknown)
        } else {
            #expect(metric.name == nil && metric.dataType == nil && metric.timestamp != nil)
            #expect(metric.alias.map { aliasesOf[device]?.contains($0) ?? false } ?? false, "an alias of \(device) that was not told")
            known = metric.alias.flatMap { aliases[$0] }
        }
        guard let known else { return "?" }
        var text = known.name + (isBirth ? ":\(known.type)" : "") + "="
        if metric.isNull {
            #expect(metric.value == nil)
            text += "null"
        } else if let value = metric.value, let meaning = known.type.value(of: value) {
            switch meaning {
            case .int(let value): text += "\(value)"
            case .uint(let value): text += "\(value)"
            case .float(let value): text += "\(value)"
            case .double(let value): text += "\(value)"
            case .boolean(let value): text += "\(value)"
            case .string(let value): text += "'\(value)'"
            case .bytes(let value): text += "\(value)"
            case .array(let value): text += "\(value)"
            }
        } else {
            text += "?"
        }
        if !isBirth, type != "NDEATH" { text += "@\(metric.timestamp ?? 0)" }
        if metric.isHistorical { text += " historical" }
        for property in metric.properties {
            switch (property.key, property.value) {
            case ("Quality", .int(let code)):
                #expect(property.type == .int32)
                if code != 192 { text += " \(SparkplugQuality(rawValue: code).map { "\($0)" } ?? "?")" }
            case ("Reason", .string(let reason)): text += " (\(reason))"
            case ("TimeUncertain", .boolean(true)):
                #expect(property.type == .boolean)
                text += " when?"
            case ("engUnit", .string(let unit)): text += " [\(unit)]"
            default: text += " ?"
            }
        }
        return text
    }
}

/// A form with that host: the test plays the upstream's broker, the local one and the clock.
final class SparkplugNode {
    let form: SparkplugForm
    var host = SparkplugHostModel()
    var now = Moment(wall: Timestamp(milliseconds: 1_750_000_000_000), monotonic: MonotonicTime(nanoseconds: 1_000_000_000))

    static let meter = FormDevice(
        product: "meter", key: "m1",
        points: [
            FormPoint(identifier: "temp", type: .float, unit: "°C"), FormPoint(identifier: "set", type: .signed(16), isWritable: true),
        ])

    init(devices: [FormDevice] = [meter], _ change: (inout SparkplugConfiguration) -> Void = { _ in }) {
        var configuration = SparkplugConfiguration(group: "group", edgeNode: "node")
        change(&configuration)
        form = SparkplugForm(configuration: configuration, devices: devices)
    }

    /// Sends a CONNECT; the disk keeps what it should.
    func connect(version: ProtocolVersion = .v311) throws -> ConnectPacket {
        let packet = try prepare(version: version)
        form.connectSent()
        return packet
    }

    /// Makes a CONNECT that is not sent.
    func prepare(version: ProtocolVersion = .v311) throws -> ConnectPacket {
        if let bytes = form.keepBeforeConnect() { form.kept = bytes }
        var packet = ConnectPacket(version: version, clientIdentifier: "box", cleanStart: false, keepAlive: 60)
        packet.properties.sessionExpiryInterval = 7
        try form.prepare(&packet, secret: nil, now: now)
        return packet
    }

    /// Connects and takes the subscriptions.
    @discardableResult
    func start() throws -> [String] {
        _ = try connect()
        return lines(form.connected(sessionPresent: false, now: now)) + lines(form.subscribed(now: now))
    }

    /// What the form wants: messages to the host as its lines, the rest as `local topic payload`, `reconnect` and `warn text`.
    func lines(_ effects: [FormEffect]) -> [String] {
        effects.map { effect in
            switch effect {
            case .publishUpstream(let publish): host.take(publish)
            case .publishLocal(let publish):
                "local \(String(decoding: publish.topic, as: UTF8.self)) \(String(decoding: publish.payload, as: UTF8.self))"
            case .subscribe: "subscribe"
            case .reconnect: "reconnect"
            case .keep: "keep"
            case .warn(let text): "warn \(text)"
            }
        }
    }

    func wait(_ duration: Duration) -> [String] {
        now.monotonic += duration
        now.wall.milliseconds += duration.wholeMilliseconds
        return lines(form.tick(now: now))
    }

    /// - Parameter publishedAt: nil for now.
    func input(_ topic: String, _ payload: String, isBackfill: Bool = false, publishedAt: Timestamp? = nil) -> FormInput {
        FormInput(
            message: Message.create(topic: topic, payload: Array(payload.utf8), qos: .atLeastOnce, publishedAt: publishedAt ?? now.wall),
            isBackfill: isBackfill, sequence: 1)
    }

    /// A post of measurement points of a device.
    func post(_ points: String, time: Int64 = 1000, device: String = "meter/m1", isBackfill: Bool = false) -> FormInput {
        input("/sys/\(device)/thing/measurepoint/post", #"{"id":"1","params":{"measurepoints":{\#(points)},"time":\#(time)}}"#, isBackfill: isBackfill)
    }

    /// What becomes of messages that are sent; nil while they have to wait.
    func send(_ inputs: FormInput..., maximumBytes: Int = 1 << 20) -> [String]? {
        guard let batch = form.batch(inputs, maximumBytes: maximumBytes, now: now) else { return nil }
        #expect(batch.count == inputs.count)
        return batch.publishes.map { host.take($0) }
    }

    /// A message from the upstream; nil if it is none of the form's.
    func receive(_ topic: String, _ payload: [UInt8]) -> [String]? {
        Array(topic.utf8).withUnsafeBytes { topic in
            payload.withUnsafeBytes { form.received(topic: topic, payload: $0, now: now) }
        }.map { lines($0) }
    }

    func receive(_ topic: String, _ payload: String) -> [String]? { receive(topic, Array(payload.utf8)) }

    func command(_ topic: String, _ metrics: SparkplugMetric...) -> [String]? {
        var payload: [UInt8] = []
        SparkplugPayload(timestamp: 1, metrics: metrics).write(to: &payload)
        return receive("spBv1.0/group/\(topic)", payload)
    }

    /// An answer of a local device.
    func answer(_ payload: String, device: String = "meter/m1") -> [String] {
        let topic = "/sys/\(device)/thing/service/measurepoint/set_reply"
        #expect(form.localFilters.contains { $0.matches(topic) })
        let message = Message.create(topic: topic, payload: Array(payload.utf8), qos: .atLeastOnce, publishedAt: Timestamp(milliseconds: 1))
        return lines(form.local(message, now: now))
    }
}
