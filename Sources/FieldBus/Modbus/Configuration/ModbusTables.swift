package import Configuration
import Core

/// The keys of a Modbus device.
package struct ModbusDeviceTable: ConfigurationTable {
    package var unitIdentifier = 1
    /// nil: as the bus has it.
    package var timeout: Duration?
    /// nil: as the bus has it.
    package var retries: Int?
    /// nil: as the bus has it.
    package var maxGap: Int?
    /// nil: as the bus has it.
    package var pause: Duration?
    /// nil: what the standard allows.
    package var maxQuantity: Int?
    package var source = TableSource()

    package init() {}

    package static let schema = Schema<Self>("A device on a Modbus line.") {
        Key(
            "unit-identifier", \.unitIdentifier, .integer(0...255),
            help: "Its number on the line: 1…247; on modbus-tcp also 0 and 255. On a serial line 0 is all of its devices: written to, never read."
        )
        Key(
            "timeout", \.timeout, .duration(.milliseconds(10)...(.seconds(60))), example: .seconds(1),
            help: "In place of the bus's timeout."
        )
        Key("retries", \.retries, .integer(0...10), example: 1, help: "In place of the bus's retries.")
        Key("max-gap", \.maxGap, .integer(0...124), unit: "registers", example: 0, help: "In place of the bus's max-gap.")
        Key(
            "pause", \.pause, .duration(.zero...(.seconds(10))), example: .milliseconds(20), help: "In place of the bus's pause.")
        Key(
            "max-quantity", \.maxQuantity, .integer(1...125), unit: "registers", example: 64,
            help: "The most registers that one request may ask for, where the device allows fewer than 125; of bits sixteen times as many."
        )
    }
}

/// The place of a point in a Modbus device.
package struct ModbusPointTable: ConfigurationTable {
    package var area = ModbusArea.holdingRegister
    /// From 0.
    package var address = 0
    package var wordOrder = WordOrder.abcd
    /// Of a BOOL in a register; 0 is the least significant.
    package var bit: Int?
    /// Of a STRING, in bytes.
    package var length: Int?
    package var source = TableSource()

    package init() {}

    package static let schema = Schema<Self>("A point of a Modbus device.") {
        Key(
            "area", \.area, .choice(ModbusArea.self), .required, help: "The table of the Modbus device that holds the value."
        )
        Key(
            "address", \.address, .integer(0...65_535), .required,
            help: "The first register or bit, counted from 0 as on the wire: 40001 of a manual is 0."
        )
        Key(
            "word-order", \.wordOrder, .choice(WordOrder.self),
            help: "The order of the value's bytes; \"abcd\" is most significant first."
        )
        Key(
            "bit", \.bit, .integer(0...15), example: 3,
            help: "For a BOOL in a register: the bit; 0 is the least significant."
        )
        Key("length", \.length, .integer(1...250), unit: "bytes", example: 16, help: "For a STRING: the length of the text.")
    }

    static func misplaced(_ point: MartletConfiguration.Product.Point, _ keys: Self) -> [MisplacedKey] {
        // Without an area or a type that go together, nobody knows.
        guard point.source.isSound("type"), keys.source.isSound("area"), point.type == .bool || !keys.area.holdsBits else { return [] }
        var found: [MisplacedKey] = []
        if point.type != .bool {
            found.append(MisplacedKey("bit", condition: "type is \"BOOL\" and area is a register"))
        } else if keys.area.holdsBits {
            found.append(MisplacedKey("bit", condition: "area is a register"))
        }
        if point.type == .bool { found.append(MisplacedKey("word-order", condition: "type is not \"BOOL\"")) }
        if point.type != .string { found.append(MisplacedKey("length", condition: "type is \"STRING\"")) }
        return found
    }

    /// Compares the keys with those that all points have.
    static func check(_ point: MartletConfiguration.Product.Point, _ keys: Self, _ findings: inout Findings) {
        let source = keys.source
        guard source.isSound("area") else { return }
        let area = keys.area
        if point.writable, !area.isWritable {
            findings.report(point.source["writable"], "a point of area \"\(area.rawValue)\" cannot be written")
        }
        if area.holdsBits, point.type != .bool {
            findings.report(
                point.source["type"], "type must be \"BOOL\" in area \"\(area.rawValue)\", which holds single bits")
            return
        }
        func missing(_ key: String, _ condition: String) {
            if !source.isSet(key) {
                findings.report(point.source.position, "[[point]] needs the key \"\(key)\" when \(condition)")
            }
        }
        if point.type == .bool, !area.holdsBits { missing("bit", "type is \"BOOL\" and area is a register") }
        if point.type == .string { missing("length", "type is \"STRING\"") }
        guard source.isSound("address", "length") else { return }
        let quantity = ModbusPoint.quantity(point.type, length: keys.length ?? 0)
        if keys.address + quantity > 65_536 {
            findings.report(
                source["address"],
                "address \(keys.address) is too high: a \(point.type.rawValue) of \(quantity) registers ends after 65535")
        }
    }
}

/// The keys that all Modbus lines have.
package struct ModbusLineKeys: Sendable, Equatable {
    package var timeout: Duration
    package var retries = 2
    package var maxBackOff = Duration.seconds(60)
    package var maxGap = 8
    package var pause = Duration.zero

    package init(timeout: Duration) { self.timeout = timeout }
}

/// A bus that is a Modbus line.
package protocol ModbusLineTable: ConfigurationTable {
    var line: ModbusLineKeys { get set }
    /// - Parameter board: the names of its serial ports.
    func transport(_ board: BoardProfile) -> ModbusTransport
    /// The unit identifiers that devices may have, in words.
    static var unitIdentifiers: String { get }
}

extension ModbusLineTable {
    /// The keys of ``ModbusLineKeys``.
    static func lineKeys() -> [Key<Self>] {
        [
            Key(
                "timeout", \.line.timeout, .duration(.milliseconds(10)...(.seconds(60))),
                help: "How long a device may take to answer."),
            Key("retries", \.line.retries, .integer(0...10), help: "How often a request without an answer is repeated."),
            Key(
                "max-back-off", \.line.maxBackOff, .duration(.milliseconds(100)...(.days(1))),
                help: "The longest time between two tries to reach a device that does not answer."),
            Key(
                "max-gap", \.line.maxGap, .integer(0...124), unit: "registers",
                help: "How many unused registers a read may run over, to need fewer reads."),
            Key(
                "pause", \.line.pause, .duration(.zero...(.seconds(10))),
                help: "The least time between an answer and the next request, for devices that need it."),
        ]
    }
}
