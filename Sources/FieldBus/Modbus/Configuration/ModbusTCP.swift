package import Configuration
import Core

/// Modbus TCP: devices that are reached by an address, or a gateway with devices behind it.
package enum ModbusTCP: ModbusDriverKind {
    package static let protocolName = "modbus-tcp"
    package static let help = "Modbus TCP (Modbus Messaging on TCP/IP 1.0b): a device, or a gateway with devices behind it."

    package struct BusTable: ModbusLineTable {
        package var host: String?
        package var port = 502
        package var line = ModbusLineKeys(timeout: .milliseconds(500))
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A Modbus device or gateway on the network.") {
            Key("host", \.host, .host, .required, help: "Name or address of the device or gateway.")
            Key("port", \.port, .integer(1...65_535), help: "TCP port.")
            lineKeys()
        }

        package func transport(_ board: BoardProfile) -> ModbusTransport { .tcp(host: host ?? "", port: port) }
        package static let unitIdentifiers = "0…247 and 255"
    }

    /// Modbus Messaging on TCP/IP 1.0b §4.4.1.2: 255 or 0 for a device that is reached by its IP address.
    package static func accepts(unitIdentifier: Int) -> Bool { (0...247).contains(unitIdentifier) || unitIdentifier == 255 }

    package static func connection(_ bus: BusTable) -> (key: String, connection: BusConnection)? {
        bus.host.map { ("host", .server(host: $0, port: bus.port)) }
    }

    package static var examples: DriverExamples {
        let bus = MartletConfiguration.Bus.example(name: "line-1", protocolName) { (table: inout BusTable) in
            table.host = "192.0.2.10"
        }
        let product = MartletConfiguration.Product.example {
            $0.key = "meter"
            $0.name = "Energy meter"
            $0.groups = [
                .example { $0.name = "fast" },
                .example {
                    $0.name = "slow"
                    $0.interval = .seconds(60)
                },
            ]
            $0.points = ModbusExamples.points
        }
        let device = MartletConfiguration.Device.example {
            $0.product = "meter"
            $0.key = "m1"
            $0.name = "Meter in the hall"
            $0.bus = "line-1"
            $0.driver = DriverTable(ModbusDeviceTable())
        }
        return DriverExamples(buses: [bus], products: [product], devices: [device])
    }
}

private enum ModbusExamples {
    static var points: [MartletConfiguration.Product.Point] {
        [
            point("temp", .int, "fast", .inputRegister, 0) { point, _ in
                point.name = "Temperature"
                point.unit = "°C"
                point.scale = 0.1
                point.offset = 0
            },
            point("setpoint", .real, "slow", .holdingRegister, 10) { point, keys in
                keys.wordOrder = .cdab
                point.writable = true
                point.minimum = 5
                point.maximum = 60
            },
            point("alarm", .bool, "fast", .holdingRegister, 12) { _, keys in keys.bit = 3 },
            point("state", .uint, "slow", .holdingRegister, 13) { point, _ in
                point.bits = BitRange(lowest: 4, highest: 7)
                point.report = .onChange
            },
            point("serial", .string, "slow", .holdingRegister, 100) { _, keys in keys.length = 16 },
        ]
    }

    private static func point(
        _ identifier: String, _ type: PointType, _ group: String, _ area: ModbusArea, _ address: Int,
        _ change: (inout MartletConfiguration.Product.Point, inout ModbusPointTable) -> Void
    ) -> MartletConfiguration.Product.Point {
        .example { point in
            var keys = ModbusPointTable()
            keys.area = area
            keys.address = address
            point.identifier = identifier
            point.type = type
            point.group = group
            change(&point, &keys)
            point.driver = DriverTable(keys)
        }
    }
}
