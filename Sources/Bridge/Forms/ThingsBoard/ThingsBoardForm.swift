public import Core
public import MQTTCodec
import Payload
public import Store

// The box as a gateway of ThingsBoard, and the devices behind it as devices there (ThingsBoard's MQTT gateway API).
//
//     CONNECT, the access token as user ──> SUBSCRIBE ──> v1/gateway/connect of each device ──> telemetry, attributes
//
// A device that cannot be reached is disconnected, and connected again when it can be.

/// Speaks ThingsBoard's gateway API.
public final class ThingsBoardForm: UpstreamForm {
    /// Devices that are told of, those that the configuration does not know included.
    static let maximumDevices = 10_000

    let configuration: ThingsBoardConfiguration
    let deviceName: DeviceName
    var reader = DevicePostReader()
    var scanner = JSONScanner()
    var devices: [ThingsBoardDevice] = []
    private var indices: [DeviceIdentifier: Int] = [:]
    private var indicesByName: [String: Int] = [:]
    /// The upstream has the subscriptions of this connection.
    private(set) var isReady = false

    var commands = PendingCommands<ThingsBoardCommand>()
    var lastCommand: UInt64 = 0
    /// Attributes that were asked for and have not come yet, by the request's number.
    var attributeRequests: [Int64: [String]] = [:]
    private var lastRequest: Int64 = 0
    /// At the next occasion.
    private var pending: [FormEffect] = []
    /// What the log was told already.
    private var told: Set<String> = []

    /// - Parameter devices: those that are connected from the start; others when they first say something.
    public init(configuration: ThingsBoardConfiguration, devices: [FormDevice]) {
        self.configuration = configuration
        deviceName = DeviceName(configuration.deviceName)
        super.init()
        for device in devices {
            _ = index(of: DeviceIdentifier(productKey: device.product, deviceKey: device.key), points: device.points)
        }
    }

    // MARK: The connection

    public override func prepare(_ packet: inout ConnectPacket, secret: [UInt8]?, now: Moment) throws(FormError) {
        // With a user there is a password too: ThingsBoard's "MQTT Basic" credentials, in place of an access token.
        guard packet.userName == nil else { return }
        guard let secret, let token = String(validating: secret, as: UTF8.self)?.trimmed, !token.isEmpty else {
            throw FormError("ThingsBoard needs a password-file with the gateway's access token, or a user-name")
        }
        packet.userName = token
        packet.password = nil
    }

    public override var subscriptions: [SubscribePacket.Request] {
        [Topic.attributes, Topic.attributesResponse, Topic.rpc].map {
            SubscribePacket.Request(filter: $0, options: SubscriptionOptions(qos: .atLeastOnce))
        }
    }

    public override func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] {
        forget()
        return []
    }

    public override func disconnected() { forget() }

    private func forget() {
        isReady = false
        attributeRequests.removeAll()
        for index in devices.indices { devices[index].isConnected = false }
    }

    public override func subscribed(now: Moment) -> [FormEffect] {
        isReady = true
        var effects: [FormEffect] = []
        for index in devices.indices where !devices[index].presence.isLost {
            effects.append(.publishUpstream(connect(index)))
            if configuration.syncsAttributes, let request = attributeRequest(index) { effects.append(.publishUpstream(request)) }
        }
        return effects
    }

    public override func farewell(now: Moment) -> [FormPublish] {
        isReady = false
        return devices.indices.filter { devices[$0].isConnected }.map { disconnect($0) }
    }

    public override func tick(now: Moment) -> [FormEffect] {
        var effects = pending
        pending.removeAll()
        for (_, command) in commands.takeExpired(now: now.monotonic) { effects += timedOut(command) }
        guard isReady else { return effects }
        // Told here, not with the values: a batch ends with them.
        for index in devices.indices where devices[index].isConnected && devices[index].presence.isLost {
            effects.append(.publishUpstream(disconnect(index)))
        }
        return effects
    }

    // MARK: Messages

    public override func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        isReady ? values(messages, maximumBytes: maximumBytes) : nil
    }

    public override func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? {
        if topic.elementsEqual(Topic.rpc.utf8) { return called(payload, now: now) }
        if topic.elementsEqual(Topic.attributes.utf8) { return attributesChanged(payload, now: now) }
        if topic.elementsEqual(Topic.attributesResponse.utf8) { return attributesAnswered(payload, now: now) }
        return nil
    }

    public override var localFilters: [TopicFilter] {
        ["/sys/+/+/thing/service/measurepoint/set_reply", "/sys/+/+/thing/service/+"].compactMap { TopicFilter($0) }
    }

    public override func local(_ message: Message, now: Moment) -> [FormEffect] { answered(message) }

    // MARK: Devices

    enum Topic {
        static let connect = "v1/gateway/connect"
        static let disconnect = "v1/gateway/disconnect"
        static let telemetry = "v1/gateway/telemetry"
        static let attributes = "v1/gateway/attributes"
        static let attributesRequest = "v1/gateway/attributes/request"
        static let attributesResponse = "v1/gateway/attributes/response"
        static let rpc = "v1/gateway/rpc"
        /// The gateway as a device itself.
        static let ownTelemetry = "v1/devices/me/telemetry"
    }

    /// A device's place in ``devices``, made if it is new.
    ///
    /// - Returns: nil if there are too many, or another device has its name.
    func index(of identifier: DeviceIdentifier, points: [FormPoint] = []) -> Int? {
        if let index = indices[identifier] { return index }
        guard devices.count < Self.maximumDevices else {
            tell("devices", "more than \(Self.maximumDevices) devices; those beyond are left out")
            return nil
        }
        let name = deviceName.name(of: identifier)
        if let other = indicesByName[name] {
            tell("name \(identifier)", "devices \(devices[other].identifier) and \(identifier) would both be called \(name); the second is left out")
            return nil
        }
        let index = devices.count
        devices.append(ThingsBoardDevice(identifier: identifier, name: name, points: points))
        indices[identifier] = index
        indicesByName[name] = index
        return index
    }

    func index(named name: String) -> Int? { indicesByName[name] }

    /// Its type is its product.
    func connect(_ index: Int) -> FormPublish {
        devices[index].isConnected = true
        return publish(Topic.connect) { writer in
            writer.name("device")
            writer.string(devices[index].name)
            writer.name("type")
            writer.string(devices[index].identifier.productKey)
        }
    }

    private func disconnect(_ index: Int) -> FormPublish {
        devices[index].isConnected = false
        return publish(Topic.disconnect) { writer in
            writer.name("device")
            writer.string(devices[index].name)
        }
    }

    /// Asks for the shared attributes that are called as the device's writable points; nil if it has none.
    private func attributeRequest(_ index: Int) -> FormPublish? {
        let keys = devices[index].points.values.filter(\.isWritable).map(\.identifier).sorted()
        guard !keys.isEmpty else { return nil }
        lastRequest += 1
        attributeRequests[lastRequest] = keys
        return publish(Topic.attributesRequest) { writer in
            writer.name("id")
            writer.integer(lastRequest)
            writer.name("device")
            writer.string(devices[index].name)
            writer.name("client")
            writer.bool(false)
            writer.name("keys")
            writer.beginArray()
            for key in keys { writer.string(key) }
            writer.endArray()
        }
    }

    /// A message whose payload is one object.
    func publish(_ topic: String, _ members: (inout JSONWriter) -> Void) -> FormPublish {
        var writer = JSONWriter()
        writer.beginObject()
        members(&writer)
        writer.endObject()
        return FormPublish(topic: topic, payload: writer.finish())
    }

    /// A line for the log, the first time that there is reason for it.
    func tell(_ kind: String, _ text: String) {
        guard told.count < 1000, told.insert(kind).inserted else { return }
        pending.append(.warn(text))
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        let isSpace: (Character) -> Bool = { $0.isWhitespace }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(self[first...last])
    }
}
