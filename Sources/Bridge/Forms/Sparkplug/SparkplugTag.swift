import Core
import Payload

/// A metric of the edge node or of one of its devices, with the value that it last had.
struct SparkplugTag {
    /// What a command may do with it.
    enum Access {
        /// Written by the device's set service.
        case writable
        case readOnly
    }

    struct State {
        /// nil for null.
        var value: SparkplugWireValue?
        var quality: SparkplugQuality
        var reason: String?
        var time: Timestamp
        var isTimeUncertain = false
    }

    let name: String
    /// Unique within the edge node.
    let alias: UInt64
    private(set) var type: SparkplugDataType
    /// The configuration says the type; else it is what the values need.
    let isTypeFixed: Bool
    let unit: String?
    let access: Access
    /// The newest one; nil if none was told.
    private(set) var state: State?

    init(name: String, alias: UInt64, type: SparkplugDataType, isTypeFixed: Bool, unit: String? = nil, access: Access) {
        self.name = name
        self.alias = alias
        self.type = type
        self.isTypeFixed = isTypeFixed
        self.unit = unit
        self.access = access
    }

    /// Makes room in the type for a value. Only types that were not configured change, and only to wider ones.
    ///
    /// - Returns: whether it has changed, which a birth has to tell.
    mutating func widen(for value: DevicePost.Value) -> Bool {
        guard !isTypeFixed, let wanted = SparkplugDataType(of: value) else { return false }
        let widened = type.joined(with: wanted)
        guard widened != type else { return false }
        // What is kept has the narrower type's form on the wire.
        if let kept = state?.value { state?.value = type.value(of: kept).flatMap { widened.wire(told: DevicePost.Value($0)) } }
        type = widened
        return true
    }

    /// A value as a state of this metric: null and bad if the type has no place for it.
    func state(of item: DevicePost.Item, time: Timestamp, isTimeUncertain: Bool) -> State {
        var quality = SparkplugQuality(digit: item.quality)
        var reason = item.reason
        let value = item.value == .null ? nil : type.wire(told: item.value)
        if value == nil, item.value != .null {
            quality = .bad
            reason = QualityReason.outOfRange.rawValue
        }
        return State(value: value, quality: quality, reason: reason, time: time, isTimeUncertain: isTimeUncertain)
    }

    /// Keeps a state, unless a newer one is known.
    mutating func keep(_ state: State) {
        if let known = self.state, known.time > state.time { return }
        self.state = state
    }

    /// For a data message: by alias, and with its quality if that is not good (§6.4.8.1).
    func datum(_ state: State, isHistorical: Bool) -> SparkplugMetric {
        var metric = SparkplugMetric(alias: alias, timestamp: UInt64(clamping: state.time.milliseconds), value: state.value)
        metric.isHistorical = isHistorical
        metric.isNull = state.value == nil
        if state.quality != .good { metric.properties.append(.quality(state.quality)) }
        if state.isTimeUncertain {
            metric.properties.append(SparkplugProperty(key: "TimeUncertain", type: .boolean, value: .boolean(true)))
        }
        if let reason = state.reason { metric.properties.append(SparkplugProperty(key: "Reason", type: .string, value: .string(reason))) }
        return metric
    }

    /// For a birth: everything there is to know of it. A value that nobody has told yet is null and stale.
    func birth(now: Timestamp) -> SparkplugMetric {
        let state = self.state ?? State(value: nil, quality: .stale, time: now)
        var metric = datum(state, isHistorical: false)
        metric.name = name
        metric.dataType = type
        if state.quality == .good { metric.properties.append(.quality(.good)) }
        if let unit { metric.properties.append(SparkplugProperty(key: "engUnit", type: .string, value: .string(unit))) }
        return metric
    }
}

extension SparkplugQuality {
    /// Of a post's digit; a device that says nothing means good.
    init(digit: UInt8?) {
        switch digit {
        case nil, QualityDigit.good: self = .good
        case QualityDigit.bad: self = .bad
        default: self = .stale
        }
    }
}

extension SparkplugDataType {
    init(_ type: FormPoint.ValueType) {
        self =
            switch type {
            case .boolean: .boolean
            case .signed(let bits): bits <= 8 ? .int8 : bits <= 16 ? .int16 : bits <= 32 ? .int32 : .int64
            case .unsigned(let bits): bits <= 8 ? .uint8 : bits <= 16 ? .uint16 : bits <= 32 ? .uint32 : .uint64
            case .float: .float
            case .double: .double
            case .string: .string
            }
    }

    /// What a value needs; nil for null.
    init?(of value: DevicePost.Value) {
        switch value {
        case .null: return nil
        case .bool: self = .boolean
        case .int: self = .int64
        case .uint: self = .uint64
        case .double: self = .double
        case .string, .json: self = .string
        }
    }

    /// The type that holds values of both: a real number for two kinds of numbers, a text for everything else.
    func joined(with other: SparkplugDataType) -> SparkplugDataType {
        if self == other { return self }
        let numbers: Set<SparkplugDataType> = [.int64, .uint64, .double]
        return numbers.contains(self) && numbers.contains(other) ? .double : .string
    }

    /// A told value as this type; nil if it does not fit.
    func wire(told value: DevicePost.Value) -> SparkplugWireValue? {
        switch (self, value) {
        case (.boolean, .bool(let value)): return .boolean(value)
        case (.boolean, .int(let value)): return value == 0 || value == 1 ? .boolean(value == 1) : nil
        case (.float, .int(let value)): return .float(Float(value))
        case (.float, .uint(let value)): return .float(Float(value))
        case (.float, .double(let value)):
            let narrow = Float(value)
            return narrow.isFinite ? .float(narrow) : nil
        case (.double, .int(let value)): return .double(Double(value))
        case (.double, .uint(let value)): return .double(Double(value))
        case (.double, .double(let value)): return .double(value)
        case (.string, _): return value.text.map { .string($0) }
        case (_, .int(let value)): return wire(of: .int(value)) ?? UInt64(exactly: value).flatMap { wire(of: .uint($0)) }
        case (_, .uint(let value)): return wire(of: .uint(value))
        case (_, .double(let value)):
            // A whole number that was written with a point.
            if let whole = Int64(exactly: value) { return wire(told: .int(whole)) }
            return UInt64(exactly: value).flatMap { wire(of: .uint($0)) }
        case (_, .null), (_, .bool), (_, .string), (_, .json): return nil
        }
    }
}

extension DevicePost.Value {
    /// Null for bytes and arrays.
    fileprivate init(_ value: SparkplugValue) {
        switch value {
        case .int(let value): self = .int(value)
        case .uint(let value): self = .uint(value)
        case .float(let value): self = .double(Double(value))
        case .double(let value): self = .double(value)
        case .boolean(let value): self = .bool(value)
        case .string(let value): self = .string(value)
        case .bytes, .array: self = .null
        }
    }

    /// As text: a string itself, everything else as JSON; nil for null.
    var text: String? {
        switch self {
        case .null: nil
        case .string(let text): text
        case .json(let bytes): String(decoding: bytes, as: UTF8.self)
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "\(value)"
        case .uint(let value): "\(value)"
        case .double(let value): "\(value)"
        }
    }
}
