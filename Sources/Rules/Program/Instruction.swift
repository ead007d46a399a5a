// A rule is compiled to a flat list of instructions for a stack machine. There is no tree to walk and no reference to count:
// an instruction is 16 trivial bytes. Jumps are relative, so that the instructions of an alias can be copied to where it is
// used.

enum Instruction {
    case pushNull
    case pushBoolean(Bool)
    case pushInteger(Int64)
    case pushReal(Double)
    /// A literal of the program.
    case pushText(TextReference)

    /// The value at a path; of an object with `value` and `quality`, its value.
    case load(UInt16)
    /// The value at a path as it stands.
    case loadJSON(UInt16)
    case exists(UInt16)
    /// The member `quality` or `reason` of the object at a path.
    case quality(UInt16)
    case reason(UInt16)

    case duplicate
    case negate
    case not
    case add, subtract, multiply, divide, remainder
    case concat
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual

    /// AND and OR of two values. The jump before the right operand leaves a decided left operand as the result.
    case and, or
    case jumpIfFalse(Int32)
    case jumpIfTrue(Int32)
    /// Takes the value away unless it jumps.
    case jumpUnlessNull(Int32)
    /// Takes the value away.
    case popJumpUnlessTrue(Int32)
    case jump(Int32)
    case pop

    case isNull(negated: Bool)
    /// IS TRUE and IS FALSE: never NULL.
    case isTruth(Bool, negated: Bool)
    case inList(count: UInt16, negated: Bool)
    case between(negated: Bool)
    /// `escape` is a Unicode scalar, 0 for none.
    case like(escape: UInt32, negated: Bool)
    case cast(CastType)
    case call(SQLFunction, count: UInt16)
}

enum CastType: UInt8 {
    case integer
    case real
    case text
    case boolean
}
