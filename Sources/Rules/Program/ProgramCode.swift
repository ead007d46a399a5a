/// What the compiler makes of expressions: instructions, and the literals and paths that they name.
struct ProgramCode {
    var instructions: [Instruction] = []
    /// Texts and member names, one after the other.
    var literals: [UInt8] = []
    var paths: [PayloadPath] = []
    var steps: [PayloadPath.Step] = []
    /// Values on the stack at once, at most.
    var stackDepth = 0
    /// Whether the payload has to be JSON.
    var needsJSON = false
}

/// A column of the select list.
struct Column {
    enum Content {
        /// The instructions of an expression.
        case expression(Range<Int>)
        /// A path alone: its JSON text is copied as it stands.
        case path(UInt16)
        /// `*` or `path.*`: all members of an object.
        case members(UInt16)
    }

    var content: Content
    /// The member's name in the result, in the program's literals; empty for `members`.
    var name: TextReference
}
