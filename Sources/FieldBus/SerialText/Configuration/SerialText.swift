package import Configuration
import Core

/// Text and binary frames over a serial port or TCP: scales, GPS receivers (NMEA 0183), readers, printers.
package enum SerialText: Driver {
    package static let protocolName = "serial-text"
    package static let help = "Text or binary frames over a serial port or TCP: scales, GPS receivers (NMEA 0183), readers, printers."

    package typealias BusTable = SerialTextTable
    package typealias DeviceTable = NoKeys

    package struct PointTable: ConfigurationTable {
        package var field: String?
        package var send: String?
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A point in the frames of a line.") {
            Key(
                "field", \.field, .program(bytes: 1100), example: "nmea:GGA.latitude",
                help: "Where its value stands: frame, /expression/, group:NAME, column:NUMBER, byte:POSITION or nmea:SENTENCE.FIELD."
            )
            Key(
                "send", \.send, .program(bytes: TextTemplate.maxLength), example: "SP {value:.1}\\r\\n",
                help: "What is sent when it is written, with {value}, {value:WIDTH} or {value:WIDTH.DECIMALS} for the value."
            )
        }
    }

    package static func misplaced(_ point: MartletConfiguration.Product.Point, _ keys: PointTable) -> [MisplacedKey] {
        point.writable || !point.source.isSound("writable") ? [] : [MisplacedKey("send", condition: "writable is true")]
    }

    package static func check(_ point: MartletConfiguration.Product.Point, _ keys: PointTable, _ findings: inout Findings) {
        let source = keys.source
        if keys.field == nil, keys.send == nil, source.isSound("field", "send") {
            findings.report(point.source.position, "[[point]] needs the key \"field\" or \"send\"")
        }
        if point.writable, keys.send == nil, source.isSound("send") {
            findings.report(point.source["writable"], "[[point]] needs the key \"send\" when writable is true")
        }
        if let send = keys.send, source.isSound("send") {
            do throws(FieldBusError) { _ = try TextTemplate(send) } catch { findings.report(source["send"], error.description) }
        }
        // Groups are the bus' pattern's, which is looked at with the bus.
        if let field = keys.field, source.isSound("field"), !field.hasPrefix("group:") {
            do throws(FieldBusError) { _ = try FrameField(field) } catch { findings.report(source["field"], error.description) }
        }
    }

    package static func connection(_ bus: BusTable) -> (key: String, connection: BusConnection)? {
        if let port = bus.serialPort { return ("serial-port", .serialPort(port)) }
        return bus.host.map { ("host", .server(host: $0, port: bus.port, asks: bus.request != nil)) }
    }

    package static let readsByInterval = false

    package static func plan(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> any BusPlan { textBus(bus, &errors) }

    static func textBus(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> TextBus {
        let table = bus.bus.driver.keys(as: BusTable.self) ?? BusTable()
        // What is wrong with them was said when the table was checked.
        let pattern = table.pattern.flatMap { try? TextPattern($0) }
        guard let framer = (try? table.framer()) ?? (try? Framer(.delimiter([10]))) else { preconditionFailure("a line feed frames") }
        var made = TextBus(name: bus.bus.name, transport: table.transport(bus.board), framer: framer, devices: [])
        made.separator = (try? BusTable.fixedBytes(table.separator))?.first ?? UInt8(ascii: ",")
        made.request = table.request.flatMap { try? BusTable.fixedBytes($0) } ?? []
        made.requestInterval = table.requestInterval
        made.timeout = table.timeout
        made.maxBackOff = table.maxBackOff
        for device in bus.devices {
            let points = device.points.compactMap { point, _ -> TextBus.Point? in
                guard let keys: PointTable = point.driver.keys() else { return nil }
                var field: FrameField?
                if let text = keys.field {
                    do throws(FieldBusError) {
                        field = try FrameField(text, pattern: pattern)
                    } catch {
                        if text.hasPrefix("group:") { errors.append(ConfigurationError(keys.source["field"], error.description)) }
                        return nil
                    }
                }
                let send = keys.send.flatMap { try? TextTemplate($0) }
                var made = TextBus.Point(identifier: point.identifier, type: point.type, field: field, send: send)
                made.conversion = PointConversion(point)
                return made
            }
            made.devices.append(TextBus.Device(identifier: device.device.identifier, points: points))
        }
        return made
    }

    package static func simulate(_ bus: BusDescription) throws(FieldBusError) -> any BusSimulator { try TextSimulator(bus) }

    package static var examples: DriverExamples {
        let scale = bus("scale") {
            $0.serialPort = "/dev/ttyS2"
            $0.direction.line = "gpiochip0:18"
            $0.pattern = "^(?<status>ST|US),GS,(?<weight>[+-] *[0-9.]+)kg"
            $0.request = "W\\r\\n"
        }
        let reader = bus("reader") {
            $0.host = "192.0.2.20"
            $0.framing = .lengthField
            $0.start = "\\x02"
            $0.lengthOffset = 1
        }
        let display = bus("display") {
            $0.host = "192.0.2.21"
            $0.framing = .silence
        }
        let product = MartletConfiguration.Product.example {
            $0.key = "scale"
            $0.groups = [.example { $0.name = "all" }]
            $0.points = [
                point("weight", .lreal) { $0.field = "group:weight" },
                point("zero", .bool, writable: true) { $0.send = "Z\\r\\n" },
            ]
        }
        let device = MartletConfiguration.Device.example {
            $0.product = "scale"
            $0.key = "s1"
            $0.bus = "scale"
            $0.driver = DriverTable(NoKeys())
        }
        return DriverExamples(buses: [scale, reader, display], products: [product], devices: [device])
    }

    private static func bus(_ name: String, _ change: (inout BusTable) -> Void) -> MartletConfiguration.Bus {
        .example {
            $0.name = name
            $0.protocol = protocolName
            var table = BusTable()
            change(&table)
            $0.driver = DriverTable(table)
        }
    }

    private static func point(
        _ identifier: String, _ type: PointType, writable: Bool = false, _ change: (inout PointTable) -> Void
    ) -> MartletConfiguration.Product.Point {
        .example {
            $0.identifier = identifier
            $0.type = type
            $0.writable = writable
            var keys = PointTable()
            change(&keys)
            $0.driver = DriverTable(keys)
        }
    }
}
