internal import Core

// What a point's type can hold, and the keys that speak of other values.

extension PointType {
    /// The bits of an integer; nil for what is none.
    var integerWidth: Int? {
        switch self {
        case .int, .uint: 16
        case .dint, .udint: 32
        case .lint, .ulint: 64
        case .bool, .real, .lreal, .string: nil
        }
    }

    /// The numbers of the type; nil for a BOOL and for text.
    var numbers: ClosedRange<Double>? {
        switch self {
        case .int: Double(Int16.min)...Double(Int16.max)
        case .uint: 0...Double(UInt16.max)
        case .dint: Double(Int32.min)...Double(Int32.max)
        case .udint: 0...Double(UInt32.max)
        case .lint: Double(Int64.min)...Double(Int64.max)
        case .ulint: 0...Double(UInt64.max)
        case .real: -Double(Float.greatestFiniteMagnitude)...Double(Float.greatestFiniteMagnitude)
        case .lreal: -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
        case .bool, .string: nil
        }
    }
}

extension MartletConfiguration.Product.Point {
    /// The values that the point can have, before its limits; nil for a BOOL and for text.
    private var values: ClosedRange<Double>? {
        guard var range = type.numbers else { return nil }
        if let bits { range = 0...Double(sign: .plus, exponent: bits.highest - bits.lowest + 1, significand: 1) - 1 }
        guard scale != nil || offset != nil else { return range }
        let ends = [range.lowerBound, range.upperBound].map { $0 * (scale ?? 1) + (offset ?? 0) }
        guard let least = ends.min(), let greatest = ends.max(), least.isFinite, greatest.isFinite else { return nil }
        return least...greatest
    }

    /// Looks for bits, limits and texts of numbers that the point never has. A limit that is only too wide does no harm.
    func checkRange(_ findings: inout Findings) {
        guard source.isSound("type", "bits", "scale", "offset") else { return }
        if let bits, let width = type.integerWidth, bits.highest >= width {
            findings.report(source["bits"], "bits has bit \(bits.highest), and type \(type.rawValue) has the bits 0…\(width - 1)")
            return
        }
        guard let values else { return }
        // A limit is a decimal number, which one end times a scale seldom is exactly.
        let slack = values.upperBound - values.lowerBound < 1e300 ? (values.upperBound - values.lowerBound) * 1e-9 : 0
        func beyond(_ number: Double) -> Bool { number < values.lowerBound - slack || number > values.upperBound + slack }
        let conversion = [bits.map { _ in "bits" }, scale.map { _ in "scale" }, offset.map { _ in "offset" }].compactMap(\.self)
        let subject = "type \(type.rawValue)" + (conversion.isEmpty ? "" : " with \(conversion.joined(separator: " and "))")
        let range = "is beyond what \(subject) gives (\(values.lowerBound.short)…\(values.upperBound.short))"
        for (key, limit, isWide) in [("minimum", minimum, minimum.map { $0 < values.lowerBound }), ("maximum", maximum, maximum.map { $0 > values.upperBound })]
        where source.isSound(key) {
            guard let limit, let isWide, beyond(limit) else { continue }
            if isWide {
                findings.warn(source[key], "\(key) \(limit.short) \(range), so it limits nothing")
            } else {
                findings.report(source[key], "\(key) \(limit.short) \(range), so no value is within it")
            }
        }
        if source.isSound("enumeration"), let label = enumeration.first(where: { beyond(Double($0.number)) }) {
            findings.report(source["enumeration"], "enumeration has \(label.number), which \(range)")
        }
    }
}

extension Double {
    /// Without a fraction that is zero or only a rounding.
    fileprivate var short: String {
        let rounded = (self * 1e6).rounded() / 1e6
        let number = rounded.isFinite && abs(self - rounded) <= abs(self) * 1e-8 ? rounded : self
        return Int64(exactly: number).map { "\($0)" } ?? "\(number)"
    }
}
