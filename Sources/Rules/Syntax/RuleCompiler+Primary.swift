// Literals, parentheses, CASE, CAST, functions and paths.

extension RuleCompiler {
    mutating func primary() throws(RuleError) {
        let place = token
        switch place.kind {
        case .integer, .real:
            index += 1
            try number(place)
        case .string:
            index += 1
            try emit(.pushText(addLiteral(unquoted(place))), effect: 1)
        case .keyword(.null):
            index += 1
            try emit(.pushNull, effect: 1)
        case .keyword(.true), .keyword(.false):
            index += 1
            try emit(.pushBoolean(place.kind == .keyword(.true)), effect: 1)
        case .leftParenthesis:
            index += 1
            if token.kind == .keyword(.select) { throw error("a SELECT inside an expression is not supported", at: token) }
            try expression()
            try expect(.rightParenthesis, "an operator or )")
        case .keyword(.case):
            index += 1
            try caseExpression()
        case .keyword(.cast):
            index += 1
            try castExpression()
        case .identifier where following.kind == .leftParenthesis:
            try functionCall()
        case .identifier, .quotedIdentifier:
            try pathExpression()
        case .star:
            throw error("* can stand only as a column of its own", at: place)
        default:
            throw error("expected an expression, found \(describe(place))", at: place)
        }
    }

    private mutating func number(_ place: SQLToken) throws(RuleError) {
        let digits = String(decoding: text[place.range], as: UTF8.self)
        if place.kind == .integer, let value = Int64(digits) { return try emit(.pushInteger(value), effect: 1) }
        guard let value = Double(digits), value.isFinite else { throw error("\(describe(place)) is out of range", at: place) }
        try emit(.pushReal(value), effect: 1)
    }

    // MARK: CASE and CAST

    /// `CASE [x] WHEN a THEN b … [ELSE c] END`.
    private mutating func caseExpression() throws(RuleError) {
        let hasSubject = token.kind != .keyword(.when)
        if hasSubject { try expression() }
        var ends: [Int] = []
        try expect(.keyword(.when), "WHEN in CASE")
        repeat {
            guard ends.count < RuleLimits.maxOperands else {
                throw error("more than \(RuleLimits.maxOperands) branches in CASE", at: token)
            }
            if hasSubject { try emit(.duplicate, effect: 1) }
            try expression()
            if hasSubject { try emit(.equal, effect: -1) }
            let next = try emitJump(.popJumpUnlessTrue(0), effect: -1)
            try expect(.keyword(.then), "THEN after the condition of WHEN")
            if hasSubject { try emit(.pop, effect: -1) }
            try expression()
            ends.append(try emitJump(.jump(0), effect: -1))
            if hasSubject { stack += 1 }
            complete(next)
        } while accept(.keyword(.when))
        if hasSubject { try emit(.pop, effect: -1) }
        if accept(.keyword(.else)) { try expression() } else { try emit(.pushNull, effect: 1) }
        try expect(.keyword(.end), "WHEN, ELSE or END in CASE")
        for end in ends { complete(end) }
    }

    /// `CAST(x AS type)`.
    private mutating func castExpression() throws(RuleError) {
        try expect(.leftParenthesis, "( after CAST")
        try expression()
        try expect(.keyword(.as), "AS in CAST")
        let place = token
        let type: CastType
        switch describe(place).uppercased() {
        case "INT", "INTEGER", "BIGINT": type = .integer
        case "REAL", "DOUBLE", "FLOAT": type = .real
        case "TEXT", "STRING", "VARCHAR": type = .text
        case "BOOL", "BOOLEAN": type = .boolean
        default: throw error("expected INT, REAL, TEXT or BOOL after AS, found \(describe(place))", at: place)
        }
        index += 1
        try expect(.rightParenthesis, ") after the type of CAST")
        try emit(.cast(type), effect: 0)
    }

    // MARK: Functions

    private mutating func functionCall() throws(RuleError) {
        let place = token
        let name = describe(place)
        guard let function = SQLFunction.named(name) else {
            let hint = SQLFunction.nearestName(to: name).map { "; did you mean \($0)?" } ?? ""
            throw error("there is no function \(name)\(hint)", at: place)
        }
        index += 2
        var count = 0
        var jumps: [Int] = []
        if token.kind != .rightParenthesis {
            repeat {
                guard count < function.arguments.upperBound else { throw wrongCount(function, at: place) }
                try argument(count, of: function, &jumps)
                count += 1
            } while accept(.comma)
        }
        try expect(.rightParenthesis, "a comma or ) after the argument of \(name)")
        guard function.arguments.contains(count) else { throw wrongCount(function, at: place) }
        switch function {
        case .coalesce, .iif:
            for jump in jumps { complete(jump) }
        case .exists, .quality, .reason, .json:
            break
        default:
            try emit(.call(function, count: UInt16(truncatingIfNeeded: count)), effect: 1 - count)
        }
    }

    /// One argument. `coalesce` and `iif` evaluate only what they need, and some functions take a path.
    private mutating func argument(
        _ number: Int, of function: SQLFunction, _ jumps: inout [Int]
    ) throws(RuleError) {
        switch function {
        case .exists, .quality, .reason, .json:
            let place = token
            guard startsPath, let path = try pathReference() else {
                throw error("\(function.names[0]) takes a path of the payload", at: place)
            }
            let instruction: Instruction =
                switch function {
                case .exists: .exists(path)
                case .quality: .quality(path)
                case .reason: .reason(path)
                default: .loadJSON(path)
                }
            try emit(instruction, effect: 1)
        case .coalesce:
            if number > 0 { jumps.append(try emitJump(.jumpUnlessNull(0), effect: -1)) }
            try expression()
        case .iif:
            if number == 1 { jumps.append(try emitJump(.popJumpUnlessTrue(0), effect: -1)) }
            if number == 2 {
                let end = try emitJump(.jump(0), effect: -1)
                complete(jumps[0])
                jumps = [end]
            }
            try expression()
        default:
            try expression()
        }
    }

    private func wrongCount(_ function: SQLFunction, at place: SQLToken) -> RuleError {
        let counts = function.arguments
        let range = counts.count == 1 ? "\(counts.lowerBound)" : "\(counts.lowerBound) to \(counts.upperBound)"
        let noun = counts == 1...1 ? "argument" : "arguments"
        return error("\(function.names[0]) takes \(range) \(noun)", at: place)
    }

    // MARK: Paths

    /// Whether a path can start here.
    var startsPath: Bool {
        token.kind == .quotedIdentifier || token.kind == .identifier && following.kind != .leftParenthesis
    }

    private mutating func pathExpression() throws(RuleError) {
        if let alias = try aliasAlone() {
            // The alias's instructions, which hold only relative jumps.
            code.stackDepth = max(code.stackDepth, stack + alias.stackDepth)
            for place in alias.instructions { try emit(code.instructions[place], effect: 0) }
            stack += 1
            return
        }
        let place = token
        guard let path = try pathReference() else {
            throw error("\(describe(place)) is an expression of the select list and has no members", at: place)
        }
        try emit(.load(path), effect: 1)
    }

    /// A name of the select list with nothing behind it.
    private mutating func aliasAlone() throws(RuleError) -> Alias? {
        guard usesAliases, following.kind != .dot, following.kind != .leftBracket, let alias = alias(of: token) else {
            return nil
        }
        index += 1
        return alias
    }

    private func alias(of token: SQLToken) -> Alias? {
        guard usesAliases else { return nil }
        switch token.kind {
        case .identifier: return aliases[String(decoding: text[token.range], as: UTF8.self)]
        case .quotedIdentifier: return aliases[String(decoding: unquoted(token), as: UTF8.self)]
        default: return nil
        }
    }

    /// A path, perhaps one that starts with a name of the select list. nil if that name is not a path.
    private mutating func pathReference() throws(RuleError) -> UInt16? {
        let place = token
        guard let alias = alias(of: place) else {
            return try addPath(steps: pathSteps(), at: place)
        }
        guard let path = alias.path else { return nil }
        let steps = try pathSteps()
        let start = code.steps.count
        code.steps += Array(code.steps[code.paths[Int(path)].steps])
        code.steps += Array(code.steps[steps.dropFirst()])
        guard code.steps.count - start <= RuleLimits.maxPathSteps else {
            throw error("a path has at most \(RuleLimits.maxPathSteps) steps", at: place)
        }
        return try addPath(steps: start..<code.steps.count, at: place)
    }

    /// `name(.name | [index])*`, and `.*` at the end if that is allowed.
    mutating func pathSteps(allowsStar: Bool = false) throws(RuleError) -> Range<Int> {
        let start = code.steps.count
        addMember(Array(try identifier("a name").utf8))
        while true {
            guard code.steps.count - start <= RuleLimits.maxPathSteps else {
                throw error("a path has at most \(RuleLimits.maxPathSteps) steps", at: token)
            }
            if accept(.dot) {
                if allowsStar, accept(.star) { break }
                if case .keyword = token.kind {
                    addMember(Array(text[token.range]))
                    index += 1
                } else {
                    addMember(Array(try identifier("a name after the point").utf8))
                }
            } else if accept(.leftBracket) {
                guard token.kind == .integer, let element = Int32(describe(token)) else {
                    throw error("expected a whole number from 0 in the brackets, found \(describe(token))", at: token)
                }
                index += 1
                code.steps.append(.element(element))
                try expect(.rightBracket, "] after the index")
            } else {
                break
            }
        }
        return start..<code.steps.count
    }

    private mutating func addMember(_ name: [UInt8]) {
        let literal = addLiteral(name)
        code.steps.append(.member(offset: literal.offset, count: literal.count))
    }
}
