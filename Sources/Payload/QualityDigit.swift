public import Core

/// The digit 0…9 that a post carries for a value's quality.
///
/// The platform leaves the digits' meaning to the product; its samples show 9. The box writes
///
/// | digit | quality |
/// |---|---|
/// | 9 | good |
/// | 4 | uncertain: the value may be used, the `reason` says with what doubt |
/// | 0 | bad: there is no value to use, the `reason` says why |
public enum QualityDigit {
    public static let good: UInt8 = 9
    public static let uncertain: UInt8 = 4
    public static let bad: UInt8 = 0

    public static func of(_ quality: Quality) -> UInt8 {
        switch quality {
        case .good: good
        case .uncertain: uncertain
        case .bad: bad
        }
    }
}
