import Bridge
import Broker
import Configuration
import Core
import FieldBus
import Logging
import MQTTCodec
import Payload

// What the box adds to devices that post by themselves, over MQTT:
//
//     the device's post ──────────────────────────────────────────▶ everybody, as it is
//          └─▶ limits and texts of its points ─▶ calculated points ─▶ a post of its own, within the same publish
//     no value of a point for stale-after ─▶ the last value once more, uncertain (stale), with what is calculated of it
//
// Only what lies in the future of the last values counts: `thing/measurepoint/resume`, a device's history, is passed over.

/// Calculates points of the devices that are not on a bus.
///
/// Belongs to the broker's event loop.
final class DevicePostClient: Client {
    /// A product with something to calculate or to become stale.
    struct Product {
        var key: String
        var points: [String: (type: PointType, conversion: PointConversion)]
        var formulas: [CalculatedPoints.Formula]
        var reporting: PointReporting?
    }

    /// Devices whose values are kept; of more nothing is calculated.
    static let maximumDevices = 10_000

    private final class State {
        let topic: [UInt8]
        var calculated: CalculatedPoints
        var reporting: PointReporting?

        init(topic: [UInt8], _ product: Product) {
            self.topic = topic
            calculated = CalculatedPoints(product.formulas)
            reporting = product.reporting
        }
    }

    private let broker: Broker
    private let logger: Logger
    private var products: [String: Product] = [:]
    /// Their posts are the box's own.
    private var busDevices: Set<DeviceIdentifier> = []
    private var filters: [TopicFilter] = []
    private var states: [DeviceIdentifier: State] = [:]
    private var reader = DevicePostReader()
    private var post = MeasurepointPost()
    /// Far from what devices count, which wait for answers to their own posts.
    private var nextIdentifier: UInt64 = 1 << 62
    private(set) var samples: UInt64 = 0
    private var isFull = false

    init(broker: Broker, logger: Logger) {
        self.broker = broker
        self.logger = logger
        super.init(takesInline: true)
    }

    /// Subscribes to the posts of products, in the place of those it had. Its own posts do not come back to it.
    ///
    /// - Parameters:
    ///   - busDevices: devices whose posts are the box's own.
    ///   - kept: products that are as they were: what their devices have posted still counts.
    func start(
        _ products: [Product], busDevices: [DeviceIdentifier], keeping kept: Set<String> = [], now: MonotonicTime, wall: Timestamp
    ) {
        self.products = Dictionary(products.map { ($0.key, $0) }) { first, _ in first }
        self.busDevices = Set(busDevices)
        states = states.filter { kept.contains($0.key.productKey) && !self.busDevices.contains($0.key) }
        isFull = false
        if !filters.isEmpty {
            broker.unsubscribe(UnsubscribePacket(packetIdentifier: 1, filters: filters.map(\.text)), from: self)
        }
        filters = products.flatMap { product in
            ["", "/batch"].compactMap { TopicFilter("/sys/\(product.key)/+/\(DeviceTopic.measurepointPost.tail)\($0)") }
        }
        if !filters.isEmpty, session == nil { broker.attach(self, identifier: "$martlet/calculated-points") }
        for filter in filters {
            broker.subscribe(
                self, filter: filter,
                options: SubscriptionOptions(qos: .exactlyOnce, noLocal: true, retainHandling: .doNotSend), now: now, wall: wall)
        }
    }

    /// Nothing is to be sent anywhere.
    override func flush() { while popOutbound() != nil {} }

    override func receive(_ message: Message, qos: QoS, retain: Bool) {
        let device = message.withTopic { topic in DeviceTopicParts(topic).flatMap { $0.device(in: topic) } }
        guard let device, !busDevices.contains(device), case .posts(let posts) = reader.read(message) else { return }
        let now = SystemClock.monotonic()
        for post in posts { take(post, now: now, publishedAt: message.publishedAt) }
    }

    private func take(_ post: DevicePost, now: MonotonicTime, publishedAt: Timestamp) {
        guard case .measurepoints = post.kind, !post.isHistory, let product = products[post.device.productKey],
            !busDevices.contains(post.device), let state = state(of: post.device, product)
        else { return }
        var samples = post.items.compactMap { item in product.points[item.name].map { item.sample($0.type, $0.conversion, at: post.time) } }
        let count = samples.count
        state.calculated.append(to: &samples, wall: publishedAt)
        let calculated = Set(samples[count...].map(\.point))
        // What the device has said itself is said.
        let due = (state.reporting?.filter(samples, now: now) ?? samples).filter { calculated.contains($0.point) }
        publish(due, state, publishedAt: publishedAt) { broker.generate($0) }
    }

    /// To be called about once a second: says again, as uncertain, what has become stale.
    func tick(now: MonotonicTime, wall: Timestamp) {
        for state in states.values {
            guard var samples = state.reporting?.stale(now: now), !samples.isEmpty else { continue }
            state.calculated.append(to: &samples, wall: wall)
            publish(samples, state, publishedAt: wall) { broker.publish($0, now: now, wall: wall) }
        }
    }

    private func state(of device: DeviceIdentifier, _ product: Product) -> State? {
        if let state = states[device] { return state }
        guard states.count < Self.maximumDevices else {
            if !isFull { logger.warning("too many devices: of further ones no points are calculated", metadata: ["device": "\(device)"]) }
            isFull = true
            return nil
        }
        guard let topic = DeviceTopic.measurepointPost.name(of: device) else { return nil }
        let state = State(topic: Array(topic.text.utf8), product)
        states[device] = state
        return state
    }

    private func publish(_ samples: [Sample], _ state: State, publishedAt: Timestamp, _ send: (Message) -> Void) {
        self.samples &+= UInt64(samples.count)
        let publisher = UInt64(bitPattern: session?.number ?? 0)
        // All before the first is sent: a rule's answer to it may come back here.
        var messages: [Message] = []
        post.write(samples, identifier: &nextIdentifier) { payload, _ in
            messages.append(
                state.topic.withUnsafeBytes { topic in
                    Message.create(
                        topic: topic, payload: payload, qos: .atLeastOnce, retain: false, publisher: publisher, publishedAt: publishedAt)
                })
        }
        for message in messages { send(message) }
    }
}

extension DevicePost.Item {
    /// The value as the point has it: of its type, within its limits, as a text of its enumeration.
    fileprivate func sample(_ type: PointType, _ conversion: PointConversion, at time: Timestamp) -> Sample {
        func sample(_ value: Core.Value?, _ quality: Quality) -> Sample { Sample(point: name, value: value, quality: quality, time: time) }
        let said = reason.flatMap(QualityReason.init(rawValue:)) ?? .deviceFailure
        // The platform leaves the digits to the product: beside the box's own, any other is good.
        if quality == QualityDigit.bad, reason != nil { return sample(nil, .bad(said)) }
        guard let raw = value.value(as: type), type.holds(raw) else { return sample(nil, .bad(.outOfRange)) }
        let (value, found) = conversion.value(raw)
        if found.isGood, quality == QualityDigit.uncertain, reason != nil { return sample(value, .uncertain(said)) }
        return sample(value, found)
    }
}

extension DevicePost.Value {
    /// nil if it cannot be one of the type.
    fileprivate func value(as type: PointType) -> Core.Value? {
        switch self {
        case .null, .json: nil
        case .bool(let flag): type == .bool ? .bool(flag) : nil
        case .string(let text): type == .string ? .string(text) : nil
        case .int(let number): JSONNumber.int(number).value(as: type)
        case .uint(let number): JSONNumber.uint(number).value(as: type)
        case .double(let number): JSONNumber.double(number).value(as: type)
        }
    }
}
