// Operators, from the weakest: OR; AND; NOT; comparisons, IS, IN, BETWEEN, LIKE; ||; + -; * / %; the signs.

extension RuleCompiler {
    enum Precedence: Int, Comparable {
        case or = 1
        case and, not, comparison, concat, sum, product, sign

        static func < (a: Precedence, b: Precedence) -> Bool { a.rawValue < b.rawValue }
    }

    /// Reads an expression and appends what leaves its value on the stack. Operators weaker than `weakest` end it.
    mutating func expression(_ weakest: Precedence = .or) throws(RuleError) {
        depth += 1
        guard depth <= RuleLimits.maxDepth else {
            throw error("expressions are nested more than \(RuleLimits.maxDepth) deep", at: token)
        }
        try prefix(weakest)
        var hasCompared = false
        while let operation = try binaryOperator(weakest) {
            switch operation {
            case .or:
                try decided(.jumpIfTrue(0), .or, .and)
            case .and:
                try decided(.jumpIfFalse(0), .and, .not)
            case .comparison:
                hasCompared = try compare(hasCompared)
            case .concat:
                try operand(.concat, .sum)
            case .sum:
                try operand(token.kind == .plus ? .add : .subtract, .product)
            case .product:
                let instruction: Instruction =
                    switch token.kind {
                    case .star: .multiply
                    case .slash: .divide
                    default: .remainder
                    }
                try operand(instruction, .sign)
            case .not, .sign:
                break
            }
        }
        depth -= 1
    }

    /// The precedence of the operator that stands here, unless it is weaker than `weakest`.
    private func binaryOperator(_ weakest: Precedence) throws(RuleError) -> Precedence? {
        let found: Precedence
        switch token.kind {
        case .keyword(.or): found = .or
        case .keyword(.and): found = .and
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .keyword(.is), .keyword(.in),
            .keyword(.between), .keyword(.like):
            found = .comparison
        case .keyword(.not):
            switch following.kind {
            case .keyword(.in), .keyword(.between), .keyword(.like): found = .comparison
            default: throw error("expected IN, BETWEEN or LIKE after NOT, found \(describe(following))", at: following)
            }
        case .concat: found = .concat
        case .plus, .minus: found = .sum
        case .star, .slash, .percent: found = .product
        default: return nil
        }
        return found < weakest ? nil : found
    }

    private mutating func prefix(_ weakest: Precedence) throws(RuleError) {
        let place = token
        switch place.kind {
        case .keyword(.not):
            guard weakest <= .not else { throw error("put NOT and its operand in parentheses", at: place) }
            index += 1
            try expression(.not)
            try emit(.not, effect: 0)
        case .minus:
            index += 1
            if token.kind == .integer, let value = Int64("-" + describe(token)) {
                index += 1
                try emit(.pushInteger(value), effect: 1)
            } else {
                try expression(.sign)
                try emit(.negate, effect: 0)
            }
        case .plus:
            index += 1
            try expression(.sign)
        default:
            try primary()
        }
    }

    /// The operator here, its right operand, and the instruction for both.
    private mutating func operand(_ instruction: Instruction, _ precedence: Precedence) throws(RuleError) {
        index += 1
        try expression(precedence)
        try emit(instruction, effect: -1)
    }

    /// AND and OR: the right operand is passed over when the left one decides.
    private mutating func decided(
        _ jump: Instruction, _ instruction: Instruction, _ precedence: Precedence
    ) throws(RuleError) {
        index += 1
        let place = try emitJump(jump, effect: 0)
        try expression(precedence)
        try emit(instruction, effect: -1)
        complete(place)
    }

    /// A comparison or one of the tests. Returns whether it was a comparison, which cannot be chained.
    private mutating func compare(_ hasCompared: Bool) throws(RuleError) -> Bool {
        let instruction: Instruction
        switch token.kind {
        case .equal: instruction = .equal
        case .notEqual: instruction = .notEqual
        case .less: instruction = .less
        case .lessOrEqual: instruction = .lessOrEqual
        case .greater: instruction = .greater
        case .greaterOrEqual: instruction = .greaterOrEqual
        default:
            try test()
            return hasCompared
        }
        if hasCompared { throw error("comparisons cannot be chained; use AND or BETWEEN", at: token) }
        try operand(instruction, .concat)
        return true
    }

    private mutating func test() throws(RuleError) {
        if accept(.keyword(.is)) {
            let negated = accept(.keyword(.not))
            if accept(.keyword(.null)) { return try emit(.isNull(negated: negated), effect: 0) }
            if accept(.keyword(.true)) { return try emit(.isTruth(true, negated: negated), effect: 0) }
            if accept(.keyword(.false)) { return try emit(.isTruth(false, negated: negated), effect: 0) }
            throw error("expected NULL, TRUE or FALSE after IS, found \(describe(token))", at: token)
        }
        let negated = accept(.keyword(.not))
        if accept(.keyword(.in)) { return try inList(negated) }
        if accept(.keyword(.between)) {
            try expression(.concat)
            try expect(.keyword(.and), "AND between the two ends of BETWEEN")
            try expression(.concat)
            return try emit(.between(negated: negated), effect: -2)
        }
        try expect(.keyword(.like), "LIKE")
        try expression(.concat)
        var escape: UInt32 = 0
        if accept(.keyword(.escape)) {
            let place = token
            let scalars = String(decoding: place.kind == .string ? unquoted(place) : [], as: UTF8.self).unicodeScalars
            guard let scalar = scalars.first, scalars.count == 1, scalar.value != 0 else {
                throw error("expected one character in single quotes after ESCAPE, found \(describe(place))", at: place)
            }
            escape = scalar.value
            index += 1
        }
        try emit(.like(escape: escape, negated: negated), effect: -1)
    }

    private mutating func inList(_ negated: Bool) throws(RuleError) {
        try expect(.leftParenthesis, "( after IN")
        var count = 0
        repeat {
            guard count < RuleLimits.maxOperands else {
                throw error("more than \(RuleLimits.maxOperands) values after IN", at: token)
            }
            try expression()
            count += 1
        } while accept(.comma)
        try expect(.rightParenthesis, "a comma or ) in the list after IN")
        try emit(.inList(count: UInt16(truncatingIfNeeded: count), negated: negated), effect: -count)
    }
}
