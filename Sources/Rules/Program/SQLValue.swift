/// A value while a rule is evaluated. Trivial: texts and payload values are references into what the context holds.
enum SQLValue {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// Always finite.
    case real(Double)
    case text(TextReference)
    /// An array or object of the payload: the number of its node.
    case json(Int)
}

/// Where a text's bytes lie.
struct TextReference {
    enum Region: UInt8 {
        /// The literals of the program.
        case literals
        case topic
        case payload
        /// Texts made during the evaluation.
        case made
    }

    var offset: UInt32
    var count: UInt32
    var region: Region

    init(_ region: Region, offset: Int, count: Int) {
        self.region = region
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.count = UInt32(truncatingIfNeeded: count)
    }
}

extension SQLValue {
    /// A real that a calculation gave: NULL unless it is a number.
    @inline(__always)
    static func finite(_ value: Double) -> SQLValue { value.isFinite ? .real(value) : .null }

    /// A whole number if it fits 64 bits, else a real.
    static func whole(_ value: Double) -> SQLValue {
        guard let integer = Int64(exactly: value) else { return finite(value) }
        return .integer(integer)
    }

    @inline(__always)
    var isNull: Bool {
        if case .null = self { true } else { false }
    }
}

/// TRUE, FALSE or unknown (NULL).
enum Truth: UInt8 {
    case `false`
    case `true`
    case unknown

    @inline(__always)
    init(_ value: Bool) { self = value ? .true : .false }

    @inline(__always)
    var value: SQLValue {
        switch self {
        case .false: .boolean(false)
        case .true: .boolean(true)
        case .unknown: .null
        }
    }
}
