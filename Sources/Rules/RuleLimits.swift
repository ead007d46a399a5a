/// What a rule may cost. A rule beyond a limit is refused when it is compiled; a message beyond one fails when it is
/// evaluated.
public enum RuleLimits {
    /// Bytes of a rule's text.
    public static let maxLength = 16 * 1024
    /// Parentheses, functions, CASE and signs inside each other.
    public static let maxDepth = 64
    /// Columns of the select list.
    public static let maxColumns = 256
    /// Topic filters after FROM.
    public static let maxFilters = 64
    /// Operands in an IN list, arguments of a function, branches of a CASE.
    public static let maxOperands = 256
    /// Steps of a path.
    public static let maxPathSteps = 32
    /// Instructions of a rule, with aliases replaced by what they stand for.
    public static let maxInstructions = 8192
    /// Bytes of text that one column or the condition may make.
    public static let maxText = 1 << 20
    /// Steps that LIKE and other searches may take in one evaluation.
    public static let maxWork = 4_000_000
    /// Bytes of one result.
    public static let maxOutput = 4 << 20
}
