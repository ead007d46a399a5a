// Reading tokens, reporting faults, and appending to the program.

extension RuleCompiler {
    var token: SQLToken { tokens[index] }

    /// The token after the current one.
    var following: SQLToken { tokens[min(index + 1, tokens.count - 1)] }

    mutating func accept(_ kind: SQLToken.Kind) -> Bool {
        guard token.kind == kind, kind != .end else { return false }
        index += 1
        return true
    }

    mutating func expect(_ kind: SQLToken.Kind, _ what: String) throws(RuleError) {
        guard accept(kind) else { throw error("expected \(what), found \(describe(token))", at: token) }
    }

    func error(_ message: String, at token: SQLToken) -> RuleError {
        RuleError(message, at: token.range.lowerBound, of: text)
    }

    func describe(_ token: SQLToken) -> String {
        if token.kind == .end { return "the end of the rule" }
        let words = String(decoding: text[token.range].prefix(40), as: UTF8.self)
        return token.range.count > 40 ? "\(words)…" : words
    }

    /// The rule's own words.
    func source(_ range: Range<Int>) -> String {
        guard let first = range.first, let last = range.last else { return "" }
        return String(decoding: text[tokens[first].range.lowerBound..<tokens[last].range.upperBound], as: UTF8.self)
    }

    /// What a quoted token means: doubled quotes are one.
    func unquoted(_ token: SQLToken) -> [UInt8] {
        let inner = text[token.range].dropFirst().dropLast()
        let quote = text[token.range.lowerBound]
        var result: [UInt8] = []
        var skipsNext = false
        for byte in inner {
            if skipsNext {
                skipsNext = false
                continue
            }
            result.append(byte)
            skipsNext = byte == quote
        }
        return result
    }

    /// A name, plain or quoted.
    mutating func identifier(_ what: String) throws(RuleError) -> String {
        let place = token
        switch place.kind {
        case .identifier:
            index += 1
            return String(decoding: text[place.range], as: UTF8.self)
        case .quotedIdentifier:
            index += 1
            return String(decoding: unquoted(place), as: UTF8.self)
        case .keyword:
            throw error("\(describe(place)) is a word of the language; put it in double quotes to use it as a name", at: place)
        default:
            throw error("expected \(what), found \(describe(place))", at: place)
        }
    }

    // MARK: The program

    mutating func addLiteral(_ bytes: [UInt8]) -> TextReference {
        let reference = TextReference(.literals, offset: code.literals.count, count: bytes.count)
        code.literals += bytes
        return reference
    }

    mutating func addPath(steps: Range<Int>, at place: SQLToken) throws(RuleError) -> UInt16 {
        guard code.paths.count < RuleLimits.maxInstructions else { throw error("the rule is too large", at: place) }
        code.paths.append(PayloadPath(steps: steps))
        code.needsJSON = true
        return UInt16(truncatingIfNeeded: code.paths.count - 1)
    }

    /// Appends an instruction that leaves `effect` more values on the stack than it finds.
    mutating func emit(_ instruction: Instruction, effect: Int) throws(RuleError) {
        guard code.instructions.count < RuleLimits.maxInstructions else {
            throw error("the rule needs more than \(RuleLimits.maxInstructions) instructions", at: token)
        }
        code.instructions.append(instruction)
        stack += effect
        code.stackDepth = max(code.stackDepth, stack)
    }

    /// Appends a jump whose target comes later, and returns its place for ``complete(_:)``.
    mutating func emitJump(_ jump: Instruction, effect: Int) throws(RuleError) -> Int {
        try emit(jump, effect: effect)
        return code.instructions.count - 1
    }

    /// Lets a jump lead to the next instruction.
    mutating func complete(_ place: Int) {
        let distance = Int32(truncatingIfNeeded: code.instructions.count - place)
        switch code.instructions[place] {
        case .jumpIfFalse: code.instructions[place] = .jumpIfFalse(distance)
        case .jumpIfTrue: code.instructions[place] = .jumpIfTrue(distance)
        case .jumpUnlessNull: code.instructions[place] = .jumpUnlessNull(distance)
        case .popJumpUnlessTrue: code.instructions[place] = .popJumpUnlessTrue(distance)
        default: code.instructions[place] = .jump(distance)
        }
    }
}
