package import Configuration
import Core

/// The machine itself: temperature, memory, storage, network, 1-Wire and IIO sensors, hosts.
package enum SystemPoints: Driver {
    package static let protocolName = "system"
    package static let help = "The machine itself: temperature, load, storage, network counters, 1-Wire and IIO sensors, reachability of hosts."

    package struct BusTable: ConfigurationTable {
        package var root = "/"
        package var timeout = Duration.seconds(2)
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("The machine itself.") {
            Key("root", \.root, .path, help: "The folder that holds sys and proc, and that paths of file systems are below: another one in a container.")
            Key(
                "timeout", \.timeout, .duration(.milliseconds(100)...(.seconds(60))),
                help: "How long a host may take to accept a connection, for the sources reachable and connect-time."
            )
        }
    }

    package typealias DeviceTable = NoKeys

    package struct PointTable: ConfigurationTable {
        package var text = ""
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A point of the machine.") {
            Key(
                "source", \.text, .label, .required,
                help: "What it is: cpu-temperature, memory-used, storage-free:/data, one-wire:28-000005e2fdc3, …"
            )
        }
    }

    package static func check(_ point: MartletConfiguration.Product.Point, _ keys: PointTable, _ findings: inout Findings) {
        if point.writable { findings.report(point.source["writable"], "a point of the machine itself cannot be written") }
        guard keys.source.isSound("source") else { return }
        do throws(FieldBusError) {
            _ = try SystemSource(keys.text)
        } catch {
            findings.report(keys.source["source"], error.description)
        }
    }

    package static func plan(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> any BusPlan { systemBus(bus) }

    static func systemBus(_ bus: BusDescription) -> SystemBus {
        let table = bus.bus.driver.keys(as: BusTable.self) ?? BusTable()
        let devices = bus.devices.map { device in
            let points = device.points.compactMap { point, interval -> SystemBus.Point? in
                guard let keys: PointTable = point.driver.keys(), let source = try? SystemSource(keys.text) else { return nil }
                var made = SystemBus.Point(identifier: point.identifier, type: point.type, source: source, interval: interval)
                made.conversion = PointConversion(point)
                return made
            }
            return SystemBus.Device(identifier: device.device.identifier, points: points)
        }
        var made = SystemBus(name: bus.bus.name, devices: devices)
        made.root = table.root == "/" ? "" : bus.resolve(table.root)
        made.timeout = table.timeout
        return made
    }

    package static func simulate(_ bus: BusDescription) throws(FieldBusError) -> any BusSimulator { try SystemSimulator(bus) }

    package static var examples: DriverExamples {
        let bus = MartletConfiguration.Bus.example {
            $0.name = "box"
            $0.protocol = protocolName
            $0.driver = DriverTable(BusTable())
        }
        let product = MartletConfiguration.Product.example {
            $0.key = "box"
            $0.groups = [
                .example {
                    $0.name = "minute"
                    $0.interval = .seconds(60)
                }
            ]
            $0.points = [
                point("temperature", .real, "cpu-temperature"), point("storage-free", .ulint, "storage-free:/"),
                point("uplink", .bool, "reachable:broker.example.com:8883"),
            ]
        }
        let device = MartletConfiguration.Device.example {
            $0.product = "box"
            $0.key = "box-1"
            $0.bus = "box"
            $0.driver = DriverTable(NoKeys())
        }
        return DriverExamples(buses: [bus], products: [product], devices: [device])
    }

    private static func point(_ identifier: String, _ type: PointType, _ source: String) -> MartletConfiguration.Product.Point {
        .example {
            $0.identifier = identifier
            $0.type = type
            var keys = PointTable()
            keys.text = source
            $0.driver = DriverTable(keys)
        }
    }
}
