public import Core
public import MQTTCodec
import Payload
public import Store

// The box as an edge node of Sparkplug B 3.0, and the devices behind it as its devices.
//
//     CONNECT with the NDEATH as its will ──> SUBSCRIBE ──> the primary host is online ──> NBIRTH, DBIRTH… ──> DDATA…
//          ▲                                                                                │        ▲
//          └──────────── the primary host is offline: NDEATH, connect anew <────────────────┘        │
//                                                     NCMD Rebirth, or a metric that is new: births ──┘
//
// Each message of the node carries the next number, mod 256, in the order in which this form makes them: they have to be
// sent in that order. A host that misses one asks for a rebirth.

/// Speaks Sparkplug B as an edge node.
public final class SparkplugForm: UpstreamForm {
    /// Devices that are told of, those that the configuration does not know included.
    static let maximumDevices = 10_000
    /// Metrics of all devices together.
    static let maximumMetrics = 200_000
    /// Time between two rebirths that hosts ask for.
    static let rebirthInterval = Duration.seconds(1)

    let configuration: SparkplugConfiguration
    let deviceName: DeviceName
    var host: SparkplugHost?
    var scanner = JSONScanner()
    var reader = DevicePostReader()

    /// `bdSeq` of the will that the next NBIRTH belongs to; nil before the first CONNECT.
    private var deathNumber: UInt8?
    /// A CONNECT with it has been sent: an upstream may publish it, now or late.
    private var isDeathNumberUsed = false
    /// Of the next message.
    var nextSequence: UInt8 = 0
    private var isConnected = false
    private var isSubscribed = false
    /// NBIRTH was sent on this connection.
    var isBorn = false
    /// When the first NBIRTH of this connection was sent. What was published before has waited, for the host if for nothing
    /// else.
    var bornAt = Timestamp(milliseconds: .min)

    /// Topics that are no device's, as metrics of the node.
    var nodeTags = SparkplugTags()
    /// A metric of the node is new: NBIRTH has to tell it.
    var needsNodeBirth = false
    var devices: [SparkplugDevice] = []
    var deviceIndices: [DeviceIdentifier: Int] = [:]
    var deviceIndicesByName: [String: Int] = [:]
    var metricCount = 0
    private var nextAlias: UInt64 = 1

    var commands = PendingCommands<SparkplugCommand>()
    var lastCommand: UInt64 = 0
    /// Rebirth was asked for, and when one may be done.
    private var isRebirthDue = false
    private var rebirthNotBefore = MonotonicTime.zero
    /// When to say that the host has not spoken.
    private var silenceEnds = MonotonicTime.distantFuture
    /// For the log, at the next occasion.
    var warnings: [FormEffect] = []
    /// What the log was told already.
    var told: Set<String> = []

    /// - Parameter devices: those that have their births from the start; others are born when they first say something.
    public init(configuration: SparkplugConfiguration, devices: [FormDevice]) {
        self.configuration = configuration
        deviceName = DeviceName(configuration.deviceName)
        host = configuration.primaryHost.map { SparkplugHost($0) }
        super.init()
        for device in devices { add(device) }
    }

    // MARK: The connection

    public override var keeps: FormKept? { .state }

    /// `bdSeq` begins at 0 and is one more with every CONNECT, of whatever run of the program; after 255 comes 0
    /// [tck-id-topics-nbirth-bdseq-increment]. The disk knows it before the upstream does, so that a death that is published late
    /// never meets a birth with its number.
    public override func keepBeforeConnect() -> [UInt8]? {
        let number: UInt8
        switch deathNumber {
        case nil: number = kept.flatMap { UInt8(String(decoding: $0, as: UTF8.self)) }.map { $0 &+ 1 } ?? 0
        case let last? where isDeathNumberUsed: number = last &+ 1
        case let unused?: number = unused
        }
        deathNumber = number
        isDeathNumberUsed = false
        return Array("\(number)".utf8)
    }

    public override func connectSent() { isDeathNumberUsed = true }

    public override func prepare(_ packet: inout ConnectPacket, secret: [UInt8]?, now: Moment) throws(FormError) {
        packet.cleanStart = true
        packet.properties.sessionExpiryInterval = packet.version == .v5 ? 0 : nil
        let publish = death(now: now)
        packet.will = Will(
            topic: String(decoding: publish.topic, as: UTF8.self), payload: publish.payload, qos: publish.qos,
            retain: publish.retain)
    }

    public override var subscriptions: [SubscribePacket.Request] {
        var filters = [topic("NCMD"), topic("DCMD") + "/+"]
        if let host { filters += [host.topic, host.oldTopic] }
        return filters.map { SubscribePacket.Request(filter: $0, options: SubscriptionOptions(qos: .atLeastOnce)) }
    }

    public override func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] {
        sessionEnded()
        isConnected = true
        if host != nil { silenceEnds = now.monotonic + .seconds(30) }
        return []
    }

    public override func subscribed(now: Moment) -> [FormEffect] {
        isSubscribed = true
        return beginIfReady(now: now)
    }

    public override func disconnected() { sessionEnded() }

    /// What was told to the host counts no longer, and what it told.
    private func sessionEnded() {
        isConnected = false
        isSubscribed = false
        isBorn = false
        isRebirthDue = false
        silenceEnds = .distantFuture
        host?.forget()
        for index in devices.indices { devices[index].isBorn = false }
    }

    public override func farewell(now: Moment) -> [FormPublish] {
        guard isBorn else { return [] }
        isBorn = false
        return [death(now: now)]
    }

    public override func tick(now: Moment) -> [FormEffect] {
        var effects = warnings
        warnings.removeAll()
        for (_, command) in commands.takeExpired(now: now.monotonic) {
            effects.append(.warn("\(command.device) did not answer a command of the host for \(command.pointList)"))
        }
        if isRebirthDue { effects += rebirthIfDue(now: now) }
        if now.monotonic >= silenceEnds, let host, !host.isOnline {
            silenceEnds = .distantFuture
            effects.append(.warn("nothing is sent until the primary host says at \(host.topic) that it is online"))
        }
        return effects
    }

    // MARK: Births

    /// The births, if everything is there that has to be before them.
    private func beginIfReady(now: Moment) -> [FormEffect] {
        guard isConnected, isSubscribed, !isBorn, host?.isOnline ?? true else { return [] }
        silenceEnds = .distantFuture
        bornAt = now.wall
        return births(now: now).map { .publishUpstream($0) }
    }

    /// NBIRTH and the DBIRTH of every device that can be reached.
    func births(now: Moment) -> [FormPublish] {
        isBorn = true
        needsNodeBirth = false
        isRebirthDue = false
        rebirthNotBefore = now.monotonic + Self.rebirthInterval
        nextSequence = 0
        let wall = now.wall
        let time = UInt64(clamping: wall.milliseconds)
        var metrics = [
            deathMetric(time: time),
            // No alias: commands name it (§6.4.6).
            SparkplugMetric(name: Self.rebirth, timestamp: time, dataType: .boolean, value: .boolean(false)),
        ]
        metrics += nodeTags.births(now: wall)
        var publishes = [publish(topic("NBIRTH"), metrics, now: now)]
        for index in devices.indices {
            devices[index].isBorn = false
            if !devices[index].presence.isLost, !devices[index].tags.list.isEmpty { publishes.append(birth(index, now: now)) }
        }
        return publishes
    }

    func birth(_ index: Int, now: Moment) -> FormPublish {
        devices[index].isBorn = true
        return publish("\(topic("DBIRTH"))/\(devices[index].name)", devices[index].tags.births(now: now.wall), now: now)
    }

    func death(ofDevice index: Int, now: Moment) -> FormPublish {
        devices[index].isBorn = false
        return publish("\(topic("DDEATH"))/\(devices[index].name)", [], now: now)
    }

    /// What the broker publishes when the connection ends, or the node before it ends it: the number of the birth that it
    /// belongs to, and none of its own.
    private func death(now: Moment) -> FormPublish {
        let time = UInt64(clamping: now.wall.milliseconds)
        var payload: [UInt8] = []
        SparkplugPayload(timestamp: time, metrics: [deathMetric(time: time)]).write(to: &payload)
        return FormPublish(topic: topic("NDEATH"), payload: payload, qos: .atLeastOnce)
    }

    private func deathMetric(time: UInt64) -> SparkplugMetric {
        SparkplugMetric(name: "bdSeq", timestamp: time, dataType: .int64, value: .long(UInt64(deathNumber ?? 0)))
    }

    /// A host has asked for a rebirth: at once, or a little later if one has just been.
    func rebirthIfDue(now: Moment) -> [FormEffect] {
        isRebirthDue = true
        guard isBorn, now.monotonic >= rebirthNotBefore else { return [] }
        return births(now: now).map { .publishUpstream($0) }
    }

    // MARK: Messages

    public override func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        isBorn ? data(messages, maximumBytes: maximumBytes, now: now) : nil
    }

    public override func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? {
        if host?.take(topic: topic, payload: payload, scanner: &scanner) == true { return hostSpoke(now: now) }
        return command(topic, payload, now: now)
    }

    private func hostSpoke(now: Moment) -> [FormEffect] {
        guard let host else { return [] }
        if host.isOnline { return beginIfReady(now: now) }
        guard isBorn else { return [] }
        // The node ends its session and begins another one, which waits for the host.
        var effects: [FormEffect] = farewell(now: now).map { .publishUpstream($0) }
        effects.append(.reconnect("the primary host is offline"))
        return effects
    }

    public override var localFilters: [TopicFilter] { TopicFilter(DeviceTopic.measurepointSetReply.filter).map { [$0] } ?? [] }

    public override func local(_ message: Message, now: Moment) -> [FormEffect] { answer(message, now: now) }

    // MARK: What is common

    static let rebirth = "Node Control/Rebirth"

    func topic(_ type: String) -> String { "spBv1.0/\(configuration.group)/\(type)/\(configuration.edgeNode)" }

    /// The node's next message.
    func publish(_ topic: String, _ metrics: [SparkplugMetric], now: Moment) -> FormPublish {
        var payload: [UInt8] = []
        SparkplugPayload(
            timestamp: UInt64(clamping: now.wall.milliseconds), metrics: metrics, sequence: UInt64(nextSequence)
        ).write(to: &payload)
        nextSequence &+= 1
        return FormPublish(topic: topic, payload: payload, qos: configuration.qos)
    }

    func takeAlias() -> UInt64 {
        defer { nextAlias += 1 }
        return nextAlias
    }

    /// A line for the log, the first time that there is reason for it.
    func tell(_ kind: String, _ text: String) {
        guard told.count < 1000, told.insert(kind).inserted else { return }
        warnings.append(.warn(text))
    }
}
