public import Core

extension MartletConfiguration {
    /// The four tables of a Modbus device (Modbus Application Protocol 1.1b3 §4.3).
    public enum RegisterArea: String, Sendable, CaseIterable {
        case coil
        case discreteInput = "discrete-input"
        case inputRegister = "input-register"
        case holdingRegister = "holding-register"

        /// Whether its elements are single bits.
        public var isBits: Bool { self == .coil || self == .discreteInput }
        public var isWritable: Bool { self == .coil || self == .holdingRegister }
    }

    /// The order of the bytes of a value in its registers; `a` is the most significant.
    public enum WordOrder: String, Sendable, CaseIterable {
        case abcd, cdab, badc, dcba
    }
}

extension MartletConfiguration.Product {
    /// `[[product.point]]`: a measurement point, and its place in a Modbus device when it has an ``area``.
    public struct Point: Sendable, Equatable {
        public var identifier = ""
        public var name: String?
        public var type = PointType.real
        public var unit: String?
        /// See ``MartletConfiguration/Product/group(of:)``.
        public var group: String?
        /// nil for a point that no bus reads.
        public var area: MartletConfiguration.RegisterArea?
        /// From 0; not nil when there is an area.
        public var address: Int?
        public var wordOrder = MartletConfiguration.WordOrder.abcd
        /// Of a BOOL in a register; 0 is the least significant.
        public var bit: Int?
        /// Of a STRING, in bytes.
        public var length: Int?
        /// value = raw × scale + offset
        public var scale: Double?
        public var offset: Double?
        public var writable = false
        public package(set) var source = TableSource()

        public init() {}

        /// How many registers, or bits of an area of bits, the value takes.
        public var quantity: Int {
            switch type {
            case .bool, .int, .uint: 1
            case .dint, .udint, .real: 2
            case .lint, .ulint, .lreal: 4
            case .string: ((length ?? 0) + 1) / 2
            }
        }
    }
}

extension MartletConfiguration.Product.Point: ConfigurationTable {
    private static let onBus = Key<Self>.Condition("area", text: "there is an area") { $0.area != nil }
    private static let isString = Key<Self>.Condition("type", "area", text: "there is an area and type is \"STRING\"") {
        $0.area != nil && $0.type == .string
    }
    private static let isNumber = Key<Self>.Condition("type", "area", text: "there is an area and type is a number") {
        $0.area != nil && $0.type != .string && $0.type != .bool
    }
    private static let hasWords = Key<Self>.Condition("type", "area", text: "there is an area and type is not \"BOOL\"") {
        $0.area != nil && $0.type != .bool
    }
    private static let isRegisterBit = Key<Self>.Condition("type", "area", text: "type is \"BOOL\" and area is a register") {
        guard let area = $0.area else { return false }
        return $0.type == .bool && !area.isBits
    }

    package static let schema = Schema<Self>("A measurement point.") {
        Key(
            "identifier", \.identifier, .name, .required,
            help: "The point's name in the device topics and in rules."
        )
        Key("name", \.name, .label, example: "Temperature", help: "For people.")
        Key("type", \.type, .choice(PointType.self), .required, help: "IEC 61131-3 type of the value.")
        Key("unit", \.unit, .label, example: "°C", help: "Unit of the value, for people.")
        Key(
            "group", \.group, .name, when: onBus, example: "fast",
            help: "The product's polling group. Not needed when there is only one."
        )
        Key(
            "area", \.area, .choice(MartletConfiguration.RegisterArea.self), example: .holdingRegister,
            help: "The table of the Modbus device that holds the value. Not set for a point that no bus reads."
        )
        Key(
            "address", \.address, .integer(0...65_535), .required, when: onBus,
            help: "The first register or bit, counted from 0 as on the wire: 40001 of a manual is 0."
        )
        Key(
            "word-order", \.wordOrder, .choice(MartletConfiguration.WordOrder.self), when: hasWords,
            help: "The order of the value's bytes; \"abcd\" is most significant first."
        )
        Key(
            "bit", \.bit, .integer(0...15), .required, when: isRegisterBit,
            help: "The bit of the register; 0 is the least significant."
        )
        Key(
            "length", \.length, .integer(1...250), .required, unit: "bytes", when: isString,
            help: "Length of the text."
        )
        Key(
            "scale", \.scale, .number(notZero: true), when: isNumber, example: 0.1,
            help: "The value is the number in the registers × scale + offset."
        )
        Key("offset", \.offset, .number, when: isNumber, example: 0, help: "See scale.")
        Key(
            "writable", \.writable, .boolean,
            help: "Whether the set service may write it. Only for coil and holding-register."
        )
    } check: { point, findings in
        point.check(&findings)
    }

    private func check(_ findings: inout Findings) {
        guard source.isSound("area", "type") else { return }
        if writable, area?.isWritable != true {
            findings.report(
                source["writable"],
                area.map { "a point of area \"\($0.rawValue)\" cannot be written" }
                    ?? "a point without an area cannot be written"
            )
        }
        guard let area else { return }
        if area.isBits, type != .bool {
            findings.report(source["type"], "type must be \"BOOL\" in area \"\(area.rawValue)\", which holds single bits")
        } else if source.isSound("address", "length"), let address, address + quantity > 65_536 {
            findings.report(
                source["address"],
                "address \(address) is too high: a \(type.rawValue) of \(quantity) registers ends after 65535"
            )
        }
    }

    static var examples: [Self] {
        [
            .example {
                $0.identifier = "temp"
                $0.name = "Temperature"
                $0.type = .int
                $0.unit = "°C"
                $0.group = "fast"
                $0.area = .inputRegister
                $0.address = 0
                $0.scale = 0.1
                $0.offset = 0
            },
            .example {
                $0.identifier = "setpoint"
                $0.type = .real
                $0.group = "slow"
                $0.area = .holdingRegister
                $0.address = 10
                $0.wordOrder = .cdab
                $0.writable = true
            },
            .example {
                $0.identifier = "alarm"
                $0.type = .bool
                $0.group = "fast"
                $0.area = .holdingRegister
                $0.address = 12
                $0.bit = 3
            },
            .example {
                $0.identifier = "serial"
                $0.type = .string
                $0.group = "slow"
                $0.area = .holdingRegister
                $0.address = 100
                $0.length = 16
            },
        ]
    }
}
