public import Core

/// GPIO lines with the points that come from them.
public struct GPIOBus: Sendable {
    public enum Use: Sendable, Hashable {
        /// The level of an input.
        case level
        /// How many edges there have been.
        case pulseCount(PulseCounter.Edges)
        /// Hertz of the rising edges.
        case frequency
        /// The level of an output.
        case output(initial: Bool, atExit: AtExit)
    }

    /// What becomes of an output when the program ends.
    public enum AtExit: String, Sendable, CaseIterable {
        case leave
        case off
        case on
    }

    public struct Point: Sendable, Hashable {
        public var identifier: String
        public var type: PointType
        public var use: Use
        /// Which of the bus' ``GPIOBus/lines``.
        public var line: Int
        public var conversion = PointConversion()
        public var writable = false
        /// How often it is read even if nothing happens; of a frequency the window.
        public var interval: Duration

        public init(identifier: String, type: PointType, use: Use, line: Int, interval: Duration = .seconds(1)) {
            self.identifier = identifier
            self.type = type
            self.use = use
            self.line = line
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

    /// A line that is found, and how it is to be set up.
    public struct Line: Sendable, Hashable {
        public var chip: GPIOChip
        public var offset: Int
        /// Its debounce is what is wanted, whether or not the kernel can do it.
        public var settings: GPIOLineSettings

        public init(chip: GPIOChip, offset: Int, settings: GPIOLineSettings) {
            self.chip = chip
            self.offset = offset
            self.settings = settings
        }
    }

    public var name: String
    public var chips: any GPIOChips
    public var lines: [Line]
    public var devices: [Device]

    public init(name: String, chips: any GPIOChips, lines: [Line], devices: [Device]) {
        self.name = name
        self.chips = chips
        self.lines = lines
        self.devices = devices
    }
}

extension GPIOBus: BusPlan {
    public var deviceIdentifiers: [DeviceIdentifier] { devices.map(\.identifier) }

    public var polls: [PlannedPoll] {
        devices.flatMap { device in
            Dictionary(grouping: device.points, by: \.interval).sorted { $0.key < $1.key }.map { interval, points in
                PlannedPoll(
                    device: device.identifier, interval: interval,
                    points: points.map { PlannedPoint(identifier: $0.identifier, type: $0.type, conversion: $0.conversion) },
                    duration: .milliseconds(1))
            }
        }
    }

    public func makeDriver() throws(FieldBusError) -> any FieldBusDriver { try GPIODriver(bus: self) }
}
