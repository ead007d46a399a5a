package import Configuration

/// RTU frames over TCP: a serial line behind a device server that passes bytes on as they are.
package enum ModbusRTUOverTCP: ModbusDriverKind {
    package static let protocolName = "modbus-rtu-tcp"
    package static let help =
        "RTU frames over TCP: a serial line behind a device server that passes bytes on as they are and knows nothing of Modbus."

    package struct BusTable: ModbusLineTable {
        package var host: String?
        package var port = 502
        package var line = ModbusLineKeys(timeout: .seconds(1))
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A serial line behind a device server.") {
            Key("host", \.host, .host, .required, help: "Name or address of the device server.")
            Key("port", \.port, .integer(1...65_535), help: "TCP port.")
            lineKeys()
        }

        package func transport(_ board: BoardProfile) -> ModbusTransport { .rtuOverTCP(host: host ?? "", port: port) }
        package static let unitIdentifiers = "0…247"
    }

    package static func accepts(unitIdentifier: Int) -> Bool { ModbusRTU.accepts(unitIdentifier: unitIdentifier) }

    package static func connection(_ bus: BusTable) -> (key: String, connection: BusConnection)? {
        bus.host.map { ("host", .remoteLine(host: $0, port: bus.port)) }
    }

    package static var examples: DriverExamples {
        let bus = MartletConfiguration.Bus.example(name: "line-3", protocolName) { (table: inout BusTable) in
            table.host = "192.0.2.11"
            table.port = 4001
        }
        return DriverExamples(buses: [bus])
    }
}
