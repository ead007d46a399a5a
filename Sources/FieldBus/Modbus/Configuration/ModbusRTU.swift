package import Configuration

/// Modbus RTU: devices on a serial line.
package enum ModbusRTU: ModbusDriverKind {
    package static let protocolName = "modbus-rtu"
    package static let help = "Modbus RTU (Modbus over Serial Line 1.02): devices on a serial line, usually RS-485."

    package struct BusTable: ModbusLineTable, SerialLineTable {
        package var serialPort: String?
        package var baudRate = 9600
        package var parity = SerialLine.Parity.even
        package var dataBits = 8
        package var stopBits = 1
        package var direction = RS485Keys()
        package var line = ModbusLineKeys(timeout: .milliseconds(500))
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A serial line with Modbus devices.") {
            Key("serial-port", \.serialPort, .path, .required, help: "The serial port: its device file, or its name in the board profile, in /dev/serial/by-id or by-path.")
            Key(
                "baud-rate", \.baudRate, .integer(oneOf: SerialLine.supportedBaudRates), unit: "bit/s", help: "Speed of the line.")
            Key("parity", \.parity, .choice(SerialLine.Parity.self), help: "Parity bit of each character.")
            Key("data-bits", \.dataBits, .integer(oneOf: [8]), help: "Modbus RTU has 8 bits a character.")
            Key("stop-bits", \.stopBits, .integer(oneOf: [1, 2]), help: "Stop bits of each character.")
            directionKeys()
            lineKeys()
        }

        package func transport(_ board: BoardProfile) -> ModbusTransport { .rtu(serialLine(serialPort ?? "", board)) }

        package static let unitIdentifiers = "0…247"
    }

    /// Modbus over Serial Line 1.02 §2.2: 1…247; 0 is broadcast, which nobody answers.
    package static func accepts(unitIdentifier: Int) -> Bool { (0...247).contains(unitIdentifier) }

    package static func connection(_ bus: BusTable) -> (key: String, connection: BusConnection)? {
        bus.serialPort.map { ("serial-port", .serialPort($0)) }
    }

    package static var examples: DriverExamples {
        let bus = MartletConfiguration.Bus.example(name: "line-2", protocolName) { (table: inout BusTable) in
            table.serialPort = "/dev/ttyS1"
            table.baudRate = 19_200
            table.parity = .none
            table.stopBits = 2
            table.direction.rs485 = true
            table.direction.rtsOnSend = true
        }
        let device = MartletConfiguration.Device.example {
            $0.product = "meter"
            $0.key = "m2"
            $0.bus = "line-2"
            var keys = ModbusDeviceTable()
            keys.unitIdentifier = 7
            keys.timeout = .seconds(1)
            keys.retries = 1
            keys.maxGap = 0
            keys.pause = .milliseconds(20)
            keys.maxQuantity = 64
            $0.driver = DriverTable(keys)
        }
        return DriverExamples(buses: [bus], devices: [device])
    }
}
