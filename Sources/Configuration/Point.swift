public import Core

extension MartletConfiguration.Product {
    /// `[[product.point]]`: a measurement point, and its place in a device on a bus when it has keys of a ``driver``.
    public struct Point: Sendable, Equatable {
        /// When a value that is read is published.
        public enum Report: String, Sendable, CaseIterable {
            case always
            case onChange = "on-change"
        }

        /// What becomes of a value that is not between ``Point/minimum`` and ``Point/maximum``.
        public enum Outside: String, Sendable, CaseIterable {
            case bad, clamp
        }

        public var identifier = ""
        public var name: String?
        public var type = PointType.real
        public var unit: String?
        /// See ``MartletConfiguration/Product/group(of:)``.
        public var group: String?
        /// value = raw × scale + offset
        public var scale: Double?
        public var offset: Double?
        /// Bits of the raw number, 0 being the least significant.
        public var bits: BitRange?
        public var minimum: Double?
        public var maximum: Double?
        public var whenOutside = Outside.bad
        public var enumeration: [EnumerationLabel] = []
        public var report = Report.always
        /// In the value's unit.
        public var deadband: Double?
        /// Of the value that was published last.
        public var deadbandPercent: Double?
        public var maxSilence: Duration?
        public var staleAfter: Duration?
        /// Of a calculated point.
        public var expression: String?
        public var writable = false
        public var driver = DriverTable()
        public package(set) var source = TableSource()

        public init() {}

        /// Whether a bus reads the point.
        public var isOnBus: Bool { !driver.isEmpty }
    }
}

extension MartletConfiguration.Product.Point: ConfigurationTable {
    private static let isNumber = Key<Self>.Condition("type", text: "type is a number") {
        $0.type != .string && $0.type != .bool
    }
    private static let isInteger = Key<Self>.Condition("type", text: "type is an integer") { $0.type.isInteger }
    /// A device that posts by itself says when it does.
    private static let isPostedByBox = Key<Self>.Condition("expression", text: "a bus reads the point or it has an expression") {
        $0.isOnBus || $0.expression != nil
    }
    private static let onChange = Key<Self>.Condition("report", text: "report is \"on-change\"") { $0.report == .onChange }
    private static let numberOnChange = Key<Self>.Condition(
        "report", "type", "enumeration", text: "report is \"on-change\" and the value is a number: not a BOOL, a STRING or one of an enumeration"
    ) {
        $0.report == .onChange && $0.type != .string && $0.type != .bool && $0.enumeration.isEmpty
    }
    private static let hasLimit = Key<Self>.Condition("minimum", "maximum", text: "there is a minimum or a maximum") {
        $0.minimum != nil || $0.maximum != nil
    }

    package static let schema = Schema<Self>(
        "A measurement point. One that a bus reads has other keys too, which depend on the protocol.", driverKeys: \Self.driver
    ) {
        Key(
            "identifier", \.identifier, .name, .required,
            help: "The point's name in the device topics and in rules."
        )
        Key("name", \.name, .label, example: "Temperature", help: "For people.")
        Key("type", \.type, .choice(PointType.self), .required, help: "IEC 61131-3 type of the value.")
        Key("unit", \.unit, .label, example: "°C", help: "Unit of the value, for people.")
        Key(
            "group", \.group, .name, example: "fast",
            help: "The product's polling group. Not needed when there is only one."
        )
        Key(
            "scale", \.scale, .number(notZero: true), when: isNumber, example: 0.1,
            help: "The value is the number of the device × scale + offset."
        )
        Key("offset", \.offset, .number, when: isNumber, example: 0, help: "See scale.")
        Key(
            "bits", \.bits, .bitRange, when: isInteger, example: BitRange(lowest: 4, highest: 7),
            help: "The bits of the device's number that are the value; 0 is the least significant."
        )
        Key("minimum", \.minimum, .number, when: isNumber, example: -40, help: "The least value; also for what is written.")
        Key("maximum", \.maximum, .number, when: isNumber, example: 85, help: "The greatest value; also for what is written.")
        Key(
            "when-outside", \.whenOutside, .choice(Outside.self), when: hasLimit,
            help: "What becomes of a value read beyond minimum or maximum: quality bad, or the limit with quality uncertain."
        )
        Key(
            "enumeration", \.enumeration, .enumeration, when: isInteger,
            help: "Text in place of numbers, such as { 0 = \"off\", 1 = \"on\" }. Other numbers come as their digits, uncertain."
        )
        Key(
            "report", \.report, .choice(Report.self), when: isPostedByBox,
            help: "Publish each value that is read, or only one that differs from the last. A change of quality always counts."
        )
        Key(
            "deadband", \.deadband, .number(0...Double.greatestFiniteMagnitude), when: numberOnChange, example: 0.5,
            help: "A smaller difference to the value published last, in the value's unit, is no change."
        )
        Key(
            "deadband-percent", \.deadbandPercent, .number(0...100), unit: "%", when: numberOnChange, example: 1,
            help: "The same, of the value published last."
        )
        Key(
            "max-silence", \.maxSilence, .duration(.milliseconds(100)...(.days(7))), when: onChange, example: .minutes(10),
            help: "The value is published again after this time although it has not changed."
        )
        Key(
            "stale-after", \.staleAfter, .duration(.milliseconds(100)...(.days(7))), example: .minutes(1),
            help: "Without a new value for this long, the last one becomes uncertain (stale)."
        )
        Key(
            "expression", \.expression, .program(bytes: 1000), example: "voltage * current",
            help: "The value is calculated from other points of the device, as in a rule's SELECT."
        )
        Key("writable", \.writable, .boolean, help: "Whether the set service may write it.")
    } check: { point, findings in
        point.check(&findings)
    }

    private func check(_ findings: inout Findings) {
        if let minimum, let maximum, minimum > maximum, source.isSound("minimum", "maximum") {
            findings.report(source["maximum"], "maximum must not be less than minimum")
        }
        checkRange(&findings)
        if deadband != nil, deadbandPercent != nil, source.isSound("deadband", "deadband-percent") {
            findings.report(source["deadband-percent"], "deadband-percent and deadband exclude each other: leave one out")
        }
        if expression != nil, source.isSound("expression") {
            if let entry = driver.entries.first {
                findings.report(entry.value.mark, "\(entry.key): a point with an expression is calculated and not read from a bus")
            }
            if writable { findings.report(source["writable"], "a point with an expression cannot be written") }
        } else if writable, !isOnBus, source.isSound("writable") {
            findings.report(source["writable"], "a point that no bus reads cannot be written")
        }
        if writable, bits != nil { findings.report(source["writable"], "a point of some bits cannot be written") }
        if isOnBus || !source.isSound("type") { return }
        for key in ["group", "scale", "offset", "bits"] where source.isSet(key) && source.isSound(key) {
            findings.report(source[key], "\(key) has a meaning only for a point that a bus reads")
        }
    }

    static var examples: [Self] {
        [
            .example {
                $0.identifier = "state"
                $0.name = "State"
                $0.type = .uint
                $0.enumeration = [EnumerationLabel(number: 0, text: "off"), EnumerationLabel(number: 1, text: "on")]
                $0.staleAfter = .hours(1)
            },
            .example {
                $0.identifier = "load"
                $0.type = .real
                $0.unit = "%"
                $0.minimum = 0
                $0.maximum = 100
                $0.whenOutside = .clamp
            },
            .example {
                $0.identifier = "running"
                $0.type = .bool
                $0.expression = "state = 'on' AND load > 5"
                $0.report = .onChange
                $0.maxSilence = .minutes(10)
            },
            .example {
                $0.identifier = "power"
                $0.type = .lreal
                $0.unit = "kW"
                $0.expression = "load * 1.25"
                $0.report = .onChange
                $0.deadband = 0.5
            },
            .example {
                $0.identifier = "load-in-words"
                $0.type = .lreal
                $0.expression = "load * 327.68"
                $0.report = .onChange
                $0.deadbandPercent = 1
            },
        ]
    }
}

extension PointType {
    public var isInteger: Bool {
        switch self {
        case .int, .uint, .dint, .udint, .lint, .ulint: true
        case .bool, .real, .lreal, .string: false
        }
    }
}

/// Some neighbouring bits of a number.
public struct BitRange: Sendable, Hashable {
    /// 0…63, 0 being the least significant.
    public var lowest: Int
    /// Not less than ``lowest``.
    public var highest: Int

    public init(lowest: Int, highest: Int) {
        self.lowest = lowest
        self.highest = highest
    }
}

/// What a number means.
public struct EnumerationLabel: Sendable, Hashable {
    public var number: Int64
    public var text: String

    public init(number: Int64, text: String) {
        self.number = number
        self.text = text
    }
}
