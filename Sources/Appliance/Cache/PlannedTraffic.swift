import Bridge
import Configuration
import Core
import FieldBus
import Payload
import Store

/// What the configured points are going to publish, as far as it goes into the cache: a stream for each read of a device
/// that is repeated, with made-up values that change as measurements do.
struct PlannedTraffic {
    /// Messages that come again and again: the posts of one read, or what clients publish.
    struct Stream {
        /// nil for what clients publish.
        var device: DeviceIdentifier?
        var interval: Duration
        /// When the first one comes.
        var offset = Duration.zero
        var points: [PlannedPoint] = []
        /// Which of ``points`` are published on change only.
        var onChange: [Bool] = []
        /// Of a client's message; nil for posts of ``points``.
        var payloadBytes: Int?
        /// The routes that the messages go into, with the name under which they wait there.
        var routes: [(lane: String, topic: [UInt8])]
        /// The raw values of the points, which walk at random.
        var raw: [Double] = []

        /// Whether a poll at which nothing has changed gives no record.
        var needsChange: Bool { !onChange.isEmpty && onChange.allSatisfy { $0 } }
    }

    private(set) var streams: [Stream] = []
    /// The share of polls at which points on change have changed.
    let changing: Double
    /// What is in ``streams``, for people.
    private(set) var devices = 0
    private(set) var points = 0
    /// Of ``points``, those that are published on change only.
    private(set) var pointsOnChange = 0

    /// Records a second into the cache, over all routes.
    var recordsPerSecond: Double { recordsPerSecond { $0.routes.count } }

    /// Into one route of the cache.
    func recordsPerSecond(ofRoute route: String) -> Double {
        recordsPerSecond { $0.routes.count { RoutePolicy.route(ofLane: $0.lane) == route } }
    }

    private func recordsPerSecond(_ copies: (Stream) -> Int) -> Double {
        streams.reduce(0) { sum, stream in
            let records = Double(copies(stream)) / max(1e-3, Double(stream.interval.wholeMilliseconds) / 1000)
            return sum + (stream.needsChange ? changing : 1) * records
        }
    }

    /// - Parameters:
    ///   - changing: the share of polls at which points on change have changed, more than 0, at most 1.
    ///   - clients: messages a second of clients beside the points, which go to every bridge, and bytes of their payloads.
    init(_ plan: AppliancePlan, changing: Double = 1, clients: (perSecond: Double, payloadBytes: Int) = (0, 0)) {
        self.changing = changing
        for bus in plan.buses {
            // A bus begins with all its devices at once, and asks one after the other.
            var offset = Duration.zero
            for poll in bus.polls {
                append(poll, plan, offset: offset)
                offset += poll.duration
            }
        }
        // Many streams of a hundred messages a second at most, because times are in milliseconds.
        let count = Int(min(10_000, (clients.perSecond / 100).rounded(.up)))
        let bridges = plan.bridges.filter { !$0.forwards.isEmpty }
        guard count > 0, !bridges.isEmpty else { return }
        let interval = Int64(max(1, Double(count) * 1000 / clients.perSecond))
        for number in 0..<count {
            streams.append(
                Stream(
                    interval: .milliseconds(interval), offset: .milliseconds(interval * Int64(number) / Int64(count)),
                    payloadBytes: clients.payloadBytes,
                    routes: bridges.map {
                        (PlannedTraffic.lane($0, $0.forwards[0]), Array("clients/client-\(number)/data".utf8))
                    }))
        }
    }

    private mutating func append(_ poll: PlannedPoll, _ plan: AppliancePlan, offset: Duration) {
        guard let topic = DeviceTopic.measurepointPost.name(of: poll.device) else { return }
        let routes = PlannedTraffic.routes(of: Array(topic.text.utf8), plan)
        guard !routes.isEmpty else { return }
        if streams.last?.device != poll.device { devices += 1 }
        points += poll.points.count
        let product = plan.configuration.product(key: poll.device.productKey)
        let reported = Set(product?.points.filter { $0.report == .onChange }.map(\.identifier) ?? [])
        let onChange = poll.points.map { reported.contains($0.identifier) }
        pointsOnChange += onChange.count { $0 }
        streams.append(
            Stream(
                device: poll.device, interval: poll.interval, offset: offset, points: poll.points, onChange: onChange, routes: routes,
                raw: poll.points.map { $0.type == .bool ? 0 : 2200 }))
    }

    private static func lane(_ bridge: BridgeConfiguration, _ forward: BridgeConfiguration.Forward) -> String {
        "\(RouteName(bridge: bridge.name, priority: forward.priority))#1"
    }

    /// Where a topic goes, and what it is called there.
    private static func routes(of topic: [UInt8], _ plan: AppliancePlan) -> [(lane: String, topic: [UInt8])] {
        var routes: [(lane: String, topic: [UInt8])] = []
        for bridge in plan.bridges {
            var names: [[UInt8]] = []
            for forward in bridge.forwards {
                var name: [UInt8] = []
                guard topic.withUnsafeBytes({ forward.filter.matches($0) }) else { continue }
                if bridge.form != nil {
                    // A form names it later: until then it waits once, under its own name.
                    routes.append((lane(bridge, forward), topic))
                    break
                }
                guard topic.withUnsafeBytes({ forward.mapping.map($0, into: &name) }), !names.contains(name) else { continue }
                names.append(name)
                routes.append((lane(bridge, forward), name))
            }
        }
        return routes
    }
}

extension PlannedTraffic.Stream {
    enum Content {
        case samples([Sample])
        case payload([UInt8])
    }

    /// What the next message says; nil if there is none.
    ///
    /// - Parameter hasChanged: whether the points on change have changed; the others are always there.
    mutating func nextContent(at time: Timestamp, hasChanged: Bool, random: inout SplitMix64) -> Content? {
        if let payloadBytes {
            let digits = Array("0123456789abcdef".utf8)
            return .payload((0..<payloadBytes).map { _ in digits[Int(random.next() >> 60)] })
        }
        guard hasChanged || !needsChange else { return nil }
        return .samples(points.indices.filter { hasChanged || !onChange[$0] }.map { index in
            let step = Double(Int64(random.next() % 7)) - 3
            raw[index] += step
            let value = PlannedTraffic.value(raw[index], points[index])
            return Sample(point: points[index].identifier, value: value, quality: .good, time: time)
        })
    }
}

extension PlannedTraffic {
    /// A point's value as its device might give it.
    fileprivate static func value(_ raw: Double, _ point: PlannedPoint) -> Value? {
        let whole = Int64(raw.rounded())
        let value: Value =
            switch point.type {
            case .bool: .bool(whole & 1 != 0)
            case .real: .real(Float(raw / 10.3))
            case .lreal: .lreal(raw / 10.3)
            case .string: .string(String(repeating: "AB", count: (point.length + 1) / 2))
            case .int, .dint, .lint: .int(whole)
            case .uint, .udint, .ulint: .uint(UInt64(whole.magnitude))
            }
        return point.conversion.value(value).value
    }
}
