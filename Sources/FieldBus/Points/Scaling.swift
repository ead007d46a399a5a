import Core

/// value = raw × scale + offset
public struct Scaling: Sendable, Hashable {
    /// The scale; or what to divide by instead, if the scale is one whole number's reciprocal.
    private let factor: Double
    private let divides: Bool
    private let offset: Double
    /// Whether there is anything to do.
    let isActive: Bool

    /// - Parameters:
    ///   - scale: finite and not 0; nil for 1.
    ///   - offset: finite; nil for 0.
    public init(scale: Double? = nil, offset: Double? = nil) {
        isActive = scale != nil || offset != nil
        let scale = scale ?? 1
        let reciprocal = (1 / scale).rounded()
        // 0.1 has no exact Double: 2311 × 0.1 is 231.10000000000002, and 2311 / 10 the Double that is nearest to 231.1.
        divides = reciprocal.isFinite && 1 / reciprocal == scale
        factor = divides ? reciprocal : scale
        self.offset = offset ?? 0
    }

    /// The value of a device's number.
    func value(_ raw: Double) -> Double { (divides ? raw / factor : raw * factor) + offset }

    /// What a device has to be given for a value; as it is if there is nothing to scale.
    func raw(_ value: Value) throws(EncodeFailure) -> Value {
        guard isActive else { return value }
        guard let number = value.number else { throw .typeMismatch }
        return .lreal(raw(number))
    }

    /// raw = (value - offset) / scale
    func raw(_ value: Double) -> Double { divides ? (value - offset) * factor : (value - offset) / factor }
}
