public import Core

/// Points of the machine itself.
public struct SystemBus: Sendable, Hashable {
    public struct Point: Sendable, Hashable {
        public var identifier: String
        public var type: PointType
        public var source: SystemSource
        public var conversion = PointConversion()
        public var interval: Duration

        public init(identifier: String, type: PointType, source: SystemSource, interval: Duration = .seconds(10)) {
            self.identifier = identifier
            self.type = type
            self.source = source
            self.interval = interval
        }
    }

    public struct Device: Sendable, Hashable {
        public var identifier: DeviceIdentifier
        public var points: [Point]

        public init(identifier: DeviceIdentifier, points: [Point]) {
            self.identifier = identifier
            self.points = points
        }
    }

    public var name: String
    /// What stands before /sys, /proc and the paths of file systems; empty for the machine's own.
    public var root = ""
    /// How long a host may take to accept a connection.
    public var timeout = Duration.seconds(2)
    public var devices: [Device]

    public init(name: String, devices: [Device]) {
        self.name = name
        self.devices = devices
    }

    /// The points that are read together: of one device, at one interval, from files or from hosts.
    var groups: [Group] {
        devices.indices.flatMap { index in
            Dictionary(grouping: devices[index].points) { GroupKey(interval: $0.interval, asksHosts: $0.source.host != nil) }
                .sorted { ($0.key.interval, $0.key.asksHosts ? 1 : 0) < ($1.key.interval, $1.key.asksHosts ? 1 : 0) }
                .map { Group(device: index, interval: $0.key.interval, asksHosts: $0.key.asksHosts, points: $0.value) }
        }
    }

    struct Group: Sendable {
        var device: Int
        var interval: Duration
        var asksHosts: Bool
        var points: [Point]
    }

    private struct GroupKey: Hashable {
        var interval: Duration
        var asksHosts: Bool
    }
}

extension SystemBus: BusPlan {
    public var deviceIdentifiers: [DeviceIdentifier] { devices.map(\.identifier) }

    public var polls: [PlannedPoll] {
        groups.map { group in
            PlannedPoll(
                device: devices[group.device].identifier, interval: group.interval,
                points: group.points.map { PlannedPoint(identifier: $0.identifier, type: $0.type, conversion: $0.conversion, length: 32) },
                duration: group.asksHosts ? .milliseconds(50) : .milliseconds(1))
        }
    }

    public func makeDriver() throws(FieldBusError) -> any FieldBusDriver { SystemDriver(bus: self) }
}
