public import Configuration
public import Core

// From a device's number to the value that is published, and back for what is written:
//
//     raw ──▶ bits ──▶ scale, offset ──▶ minimum, maximum ──▶ enumeration ──▶ value
//
// The same for all drivers.

/// What makes a value of a device's number.
public struct PointConversion: Sendable, Hashable {
    public var scale: Double?
    public var offset: Double?
    public var bits: BitRange?
    public var minimum: Double?
    public var maximum: Double?
    /// A value outside becomes the limit, uncertain; otherwise it is bad.
    public var clamps = false
    public var enumeration: [EnumerationLabel] = []

    /// Leaves values as they are.
    public init() {}

    public init(_ point: MartletConfiguration.Product.Point) {
        scale = point.scale
        offset = point.offset
        bits = point.bits
        minimum = point.minimum
        maximum = point.maximum
        clamps = point.whenOutside == .clamp
        enumeration = point.enumeration
    }

    /// Of a point that its device posts as a value already: without bits, scale and offset.
    public init(posted point: MartletConfiguration.Product.Point) {
        self.init(point)
        (scale, offset, bits) = (nil, nil, nil)
    }

    /// Whether values stay as they are.
    public var isIdentity: Bool { self == PointConversion() }

    /// Whether there is nothing to do but to scale.
    var onlyScales: Bool { bits == nil && minimum == nil && maximum == nil && enumeration.isEmpty }

    /// What is wrong with it for points of this type; nil when nothing is.
    func problem(_ type: PointType) -> String? {
        if scale != nil || offset != nil, type == .bool || type == .string { return "a \(type.rawValue) cannot be scaled" }
        if let scale, !scale.isFinite || scale == 0 { return "scale \(scale) must be a number other than 0" }
        if let offset, !offset.isFinite { return "offset \(offset) must be a number" }
        return nil
    }

    /// Whether there is something to scale: what is written is then rounded.
    var scales: Bool { scaling.isActive }

    private var scaling: Scaling { Scaling(scale: scale, offset: offset) }

    // MARK: Reading

    /// The value of what a device gave: nil with quality `bad` when it has none.
    public func value(_ raw: Value) -> (value: Value?, quality: Quality) {
        var value = raw
        if let bits { value = PointConversion.extract(bits, from: value) }
        let scaling = scaling
        if scaling.isActive, let number = value.number {
            let scaled = scaling.value(number)
            guard scaled.isFinite else { return (nil, .bad(.outOfRange)) }
            value = .lreal(scaled)
        }
        var quality = Quality.good
        if let number = value.number {
            if let minimum, number < minimum {
                guard clamps else { return (nil, .bad(.outOfRange)) }
                (value, quality) = (value.replaced(by: minimum), .uncertain(.outOfRange))
            } else if let maximum, number > maximum {
                guard clamps else { return (nil, .bad(.outOfRange)) }
                (value, quality) = (value.replaced(by: maximum), .uncertain(.outOfRange))
            }
        }
        if !enumeration.isEmpty { return label(value, quality) }
        return (value, quality)
    }

    private func label(_ value: Value, _ quality: Quality) -> (value: Value?, quality: Quality) {
        let number: Int64? =
            switch value {
            case .int(let number): number
            case .uint(let number): Int64(exactly: number)
            case .lreal(let number): Int64(exactly: number)
            case .real(let number): Int64(exactly: number)
            case .bool(let flag): flag ? 1 : 0
            case .string: nil
            }
        if let number, let label = enumeration.first(where: { $0.number == number }) { return (.string(label.text), quality) }
        return (.string(value.digits), .uncertain(.outOfRange))
    }

    private static func extract(_ bits: BitRange, from value: Value) -> Value {
        let pattern: UInt64
        switch value {
        case .int(let number): pattern = UInt64(bitPattern: number)
        case .uint(let number): pattern = number
        case .bool, .real, .lreal, .string: return value
        }
        let width = UInt64(bits.highest - bits.lowest + 1)
        let mask = width >= 64 ? UInt64.max : (1 << width) - 1
        return .uint(pattern >> UInt64(bits.lowest) & mask)
    }

    // MARK: Writing

    /// What a device has to be given for a value. A scaled number is not rounded yet.
    public func raw(_ value: Value) throws(EncodeFailure) -> Value {
        var value = value
        if !enumeration.isEmpty, case .string(let text) = value {
            guard let label = enumeration.first(where: { $0.text == text }) else { throw .outOfRange }
            value = .int(label.number)
        }
        if let number = value.number {
            if let minimum, number < minimum { throw .outOfRange }
            if let maximum, number > maximum { throw .outOfRange }
        }
        return try scaling.raw(value)
    }
}

/// Why a value cannot be written to a point.
public enum EncodeFailure: Error, Sendable, Hashable {
    case typeMismatch
    case outOfRange
}

extension Value {
    /// nil for a BOOL and for text.
    var number: Double? {
        switch self {
        case .int(let number): Double(number)
        case .uint(let number): Double(number)
        case .real(let number): Double(number)
        case .lreal(let number): number
        case .bool, .string: nil
        }
    }

    /// A number of the same kind; one that does not fit it becomes an LREAL.
    fileprivate func replaced(by number: Double) -> Value {
        switch self {
        case .int: Int64(exactly: number).map { .int($0) } ?? .lreal(number)
        case .uint: UInt64(exactly: number).map { .uint($0) } ?? .lreal(number)
        case .real: .real(Float(number))
        case .lreal, .bool, .string: .lreal(number)
        }
    }
}
