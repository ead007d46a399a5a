package import Configuration
public import Core

// A driver is one folder and one line in ``Drivers``:
//
//     MyBus/
//       MyDriver.swift        its keys, declared once (``DriverKeys``), and ``Driver/plan(_:_:)``
//       MyPlan.swift          ``BusPlan``: a checked bus, still without I/O
//       MyLine.swift          ``BusLine``: one request and its answer, for the ``PolledBus`` that asks; what listens instead of
//                             asking is a ``FieldBusDriver`` of its own
//       Simulator/            ``BusSimulator``: devices in this process, for tests and for a box without a plant
//
// What is the same for all is in `Schedule` (when a bus asks whom, back-off, retries), `Polling` (asks, marks what is dead, writes),
// ``BusRecord`` (counts and tells) and `Points` (from numbers to values, what is published when).

/// What the appliance asks of a driver before there is a bus.
package protocol Driver: DriverKeys {
    /// The GPIO lines that the bus takes for itself.
    static func lines(_ bus: BusDescription) -> [UsedLine]

    /// Makes a plan of a bus and its devices, and checks it.
    ///
    /// - Parameter errors: takes each mistake at its place in the file.
    static func plan(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> any BusPlan

    /// Devices in this process that answer as those of the bus do.
    static func simulate(_ bus: BusDescription) throws(FieldBusError) -> any BusSimulator
}

extension Driver {
    package static func lines(_ bus: BusDescription) -> [UsedLine] { [] }
}

extension Driver where BusTable: SerialLineTable {
    package static func lines(_ bus: BusDescription) -> [UsedLine] {
        guard let keys: BusTable = bus.bus.driver.keys(), keys.source.isSound("rs485-line"), let name = keys.direction.line else { return [] }
        return [UsedLine(name: name, position: keys.source["rs485-line"])]
    }
}

/// A GPIO line that a bus takes.
package struct UsedLine: Sendable {
    /// As the file has it.
    package var name: String
    package var position: SourcePosition
}

/// A bus of the configuration with all that concerns it.
package struct BusDescription: Sendable {
    package struct Device: Sendable {
        package var device: MartletConfiguration.Device
        package var product: MartletConfiguration.Product

        package init(device: MartletConfiguration.Device, product: MartletConfiguration.Product) {
            self.device = device
            self.product = product
        }

        /// The points that the bus reads, each with its interval.
        package var points: [(point: MartletConfiguration.Product.Point, interval: Duration)] {
            product.points.filter(\.isOnBus).map { ($0, product.group(of: $0)?.interval ?? .seconds(1)) }
        }
    }

    package var bus: MartletConfiguration.Bus
    package var devices: [Device]
    /// The names of serial ports and lines.
    package var board: BoardProfile
    /// A path of the file, made absolute or relative to the working directory.
    package var resolve: @Sendable (String) -> String

    package init(
        bus: MartletConfiguration.Bus, devices: [Device], board: BoardProfile = BoardProfile(),
        resolve: @escaping @Sendable (String) -> String = { $0 }
    ) {
        self.bus = bus
        self.devices = devices
        self.board = board
        self.resolve = resolve
    }
}

/// A bus that can work as described.
public protocol BusPlan: Sendable {
    /// The bus' name in the configuration.
    var name: String { get }
    var deviceIdentifiers: [DeviceIdentifier] { get }
    /// The reads that are repeated, in the order in which a bus begins with them; empty for what reports by itself.
    var polls: [PlannedPoll] { get }

    /// Makes the driver; opens nothing that others could miss.
    func makeDriver() throws(FieldBusError) -> any FieldBusDriver
}

/// A read that is repeated.
public struct PlannedPoll: Sendable {
    public var device: DeviceIdentifier
    public var interval: Duration
    public var points: [PlannedPoint]
    /// About what the request and its answer take.
    public var duration: Duration

    public init(device: DeviceIdentifier, interval: Duration, points: [PlannedPoint], duration: Duration) {
        self.device = device
        self.interval = interval
        self.points = points
        self.duration = duration
    }
}

/// A point of such a read.
public struct PlannedPoint: Sendable {
    public var identifier: String
    public var type: PointType
    public var conversion: PointConversion
    /// Of a STRING, in bytes.
    public var length: Int

    public init(identifier: String, type: PointType, conversion: PointConversion, length: Int = 0) {
        self.identifier = identifier
        self.type = type
        self.conversion = conversion
        self.length = length
    }
}

/// Devices in this process, in the place of real ones.
package protocol BusSimulator: Sendable {
    /// A plan of the bus with the simulated devices in the place of the real ones.
    func plan() -> any BusPlan
    /// What a device's point holds from now on, as it is published.
    func set(_ value: Value, point: String, of device: DeviceIdentifier)
    /// What a point holds now; nil when there is no such point.
    func value(point: String, of device: DeviceIdentifier) -> Value?
    /// Lets a device fall silent, or answer again.
    func setSilent(_ isSilent: Bool, device: DeviceIdentifier)
    func stop()
}
