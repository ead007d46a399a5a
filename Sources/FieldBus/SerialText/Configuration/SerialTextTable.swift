package import Configuration
import Core

/// The keys of a `serial-text` bus.
package struct SerialTextTable: SerialLineTable {
    package enum Frames: String, Sendable, CaseIterable {
        case delimiter = "delimiter"
        case fixedLength = "fixed-length"
        case lengthField = "length-field"
        case silence = "silence"
    }

    package enum ByteOrder: String, Sendable, CaseIterable {
        case big, little
    }

    package var serialPort: String?
    package var host: String?
    package var port = 4001
    package var baudRate = 9600
    package var parity = SerialLine.Parity.none
    package var dataBits = 8
    package var stopBits = 1
    package var direction = RS485Keys()
    package var framing = Frames.delimiter
    package var delimiter = "\\r\\n"
    package var length = 1
    package var lengthOffset = 0
    package var lengthWidth = 1
    package var lengthOrder = ByteOrder.big
    package var lengthAdjustment = 0
    package var silence = Duration.milliseconds(20)
    package var start: String?
    package var maxLength = 1024
    package var pattern: String?
    package var separator = ","
    package var request: String?
    package var requestInterval = Duration.seconds(1)
    package var timeout = Duration.seconds(10)
    package var maxBackOff = Duration.seconds(30)
    package var source = TableSource()

    package init() {}

    private static let isSerial = Key<Self>.Condition("serial-port", text: "there is a serial-port") { $0.serialPort != nil }
    private static let isTCP = Key<Self>.Condition("host", text: "there is a host") { $0.host != nil }
    private static let asks = Key<Self>.Condition("request", text: "there is a request") { $0.request != nil }
    private static func framed(_ framing: Frames) -> Key<Self>.Condition {
        Key<Self>.Condition("framing", text: "framing is \"\(framing.rawValue)\"") { $0.framing == framing }
    }

    package static let schema = Schema<Self>("A line on which devices send text or binary frames: a scale, a GPS receiver, a printer.") {
        Key(
            "serial-port", \.serialPort, .path, example: "/dev/ttyS1",
            help: "The serial port: its device file, or its name in the board profile, in /dev/serial/by-id or by-path."
        )
        Key("host", \.host, .host, example: "192.0.2.20", help: "In place of a serial port: the host of a TCP connection.")
        Key("port", \.port, .integer(1...65_535), when: isTCP, help: "TCP port.")
        Key("baud-rate", \.baudRate, .integer(50...4_000_000), unit: "bit/s", when: isSerial, help: "Speed of the line.")
        Key("parity", \.parity, .choice(SerialLine.Parity.self), when: isSerial, help: "Parity bit of each character.")
        Key("data-bits", \.dataBits, .integer(5...8), when: isSerial, help: "Bits of each character.")
        Key("stop-bits", \.stopBits, .integer(oneOf: [1, 2]), when: isSerial, help: "Stop bits of each character.")
        directionKeys(when: isSerial)
        Key("framing", \.framing, .choice(Frames.self), help: "How the stream falls apart into frames.")
        Key("delimiter", \.delimiter, .program(bytes: 64), when: framed(.delimiter), help: "What ends a frame; \\r, \\n, \\t and \\xHH are characters.")
        Key("length", \.length, .integer(1...65_536), unit: "bytes", when: framed(.fixedLength), help: "The length of every frame.")
        Key("length-offset", \.lengthOffset, .integer(0...65_535), unit: "bytes", when: framed(.lengthField), help: "What stands before the length field.")
        Key("length-width", \.lengthWidth, .integer(oneOf: [1, 2, 4]), unit: "bytes", when: framed(.lengthField), help: "The size of the length field.")
        Key("length-order", \.lengthOrder, .choice(ByteOrder.self), when: framed(.lengthField), help: "Which byte of the length comes first.")
        Key(
            "length-adjustment", \.lengthAdjustment, .integer(-65_536...65_536), unit: "bytes", when: framed(.lengthField),
            help: "What to add to the field for the length of the whole frame."
        )
        Key(
            "silence", \.silence, .duration(.milliseconds(1)...(.seconds(60))), when: framed(.silence),
            help: "A pause of this length ends a frame."
        )
        Key("start", \.start, .program(bytes: 64), example: "\\x02", help: "What a frame begins with. Bytes before it are thrown away.")
        Key("max-length", \.maxLength, .integer(1...65_536), unit: "bytes", help: "A longer frame is thrown away.")
        Key(
            "pattern", \.pattern, .program(bytes: TextPattern.maxLength), example: "^(?<status>ST|US),GS,(?<weight>[+-] *[0-9.]+)kg",
            help: "A regular expression whose named groups points can refer to, by field = \"group:weight\"."
        )
        Key("separator", \.separator, .program(bytes: 4), help: "What stands between columns, one character.")
        Key("request", \.request, .program(bytes: 1024), example: "W\\r\\n", help: "What is sent to get a frame, if devices do not send by themselves.")
        Key("request-interval", \.requestInterval, .duration(.milliseconds(10)...(.days(1))), when: asks, help: "How often the request is sent.")
        Key("timeout", \.timeout, .duration(.milliseconds(100)...(.days(1))), help: "Without a frame with its points for so long, a device is bad.")
        Key("max-back-off", \.maxBackOff, .duration(.milliseconds(500)...(.days(1))), help: "The longest time between two tries to open the line.")
    } check: { table, findings in
        let source = table.source
        if table.serialPort != nil, table.host != nil {
            findings.report(source["host"], "serial-port and host exclude each other: leave one out")
        } else if table.serialPort == nil, table.host == nil, source.isSound("serial-port", "host") {
            findings.report(source.position, "[[bus]] needs the key \"serial-port\" or \"host\"")
        }
        for (key, text) in [("delimiter", table.delimiter), ("start", table.start ?? ""), ("separator", table.separator)] where source.isSound(key) {
            check(key, source) { () throws(FieldBusError) in _ = try fixedBytes(text) }
        }
        if source.isSound("pattern"), let pattern = table.pattern { check("pattern", source) { () throws(FieldBusError) in _ = try TextPattern(pattern) } }
        if source.isSound("request"), let request = table.request { check("request", source) { () throws(FieldBusError) in _ = try fixedBytes(request) } }
        check("framing", source) { () throws(FieldBusError) in _ = try table.framer() }

        func check(_ key: String, _ source: TableSource, _ body: () throws(FieldBusError) -> Void) {
            do throws(FieldBusError) { try body() } catch { findings.report(source[key], error.description) }
        }
    }

    /// Bytes that a text with escapes stands for, without a value in it.
    static func fixedBytes(_ text: String) throws(FieldBusError) -> [UInt8] {
        let template = try TextTemplate(text)
        guard !template.hasValue else { throw .invalid(place: "text \"\(text)\"", problem: "there is no value to put in") }
        return template.render(.bool(false))
    }

    func framer() throws(FieldBusError) -> Framer {
        let framing: Framing
        switch self.framing {
        case .delimiter: framing = .delimiter(try Self.fixedBytes(delimiter))
        case .fixedLength: framing = .fixedLength(length)
        case .silence: framing = .silence(silence)
        case .lengthField:
            var field = Framing.LengthField(offset: lengthOffset, width: lengthWidth)
            field.isLittleEndian = lengthOrder == .little
            field.adjustment = lengthAdjustment
            framing = .lengthField(field)
        }
        return try Framer(framing, start: try Self.fixedBytes(start ?? ""), maxLength: maxLength)
    }

    func transport(_ board: BoardProfile) -> TextBus.Transport {
        guard let serialPort else { return .tcp(host: host ?? "", port: port) }
        return .serial(serialLine(serialPort, board))
    }
}
