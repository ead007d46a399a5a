import Core

// One pass: the parser appends instructions as it reads. Precedence climbing gives the operators' order, operands come before
// their operator, and a jump is completed when its target is reached, so there is no syntax tree.

/// Reads the text of a rule:
///
///     SELECT column [AS name], … FROM "topic/filter", … [WHERE condition]
struct RuleCompiler {
    /// What a name of the select list stands for in the condition.
    struct Alias {
        var instructions: Range<Int>
        var stackDepth: Int
        /// Set if it is a path alone.
        var path: UInt16?
    }

    let text: [UInt8]
    let tokens: [SQLToken]
    var index = 0
    var code = ProgramCode()
    var columns: [Column] = []
    var filters: [TopicFilter] = []
    var condition: Range<Int>?
    var aliases: [String: Alias] = [:]
    /// Names of the select list stand for their columns in the condition only.
    var usesAliases = false
    /// Expressions inside each other.
    var depth = 0
    /// Values on the stack where the next instruction stands.
    var stack = 0

    init(_ sql: String) throws(RuleError) {
        text = Array(sql.utf8)
        tokens = try SQLLexer.tokens(of: text)
    }

    /// Reads the whole text.
    mutating func compile() throws(RuleError) {
        try expect(.keyword(.select), "SELECT at the start of the rule")
        if accept(.keyword(.distinct)) { throw error("DISTINCT is not supported", at: tokens[index - 1]) }
        try selectList()
        guard accept(.keyword(.from)) else {
            throw error("expected FROM after the select list, found \(describe(token))", at: token)
        }
        try filterList()
        if accept(.keyword(.where)) {
            usesAliases = true
            let start = code.instructions.count
            try expression()
            stack -= 1
            condition = start..<code.instructions.count
        }
        guard token.kind == .end else {
            if case .keyword(let word) = token.kind, [.group, .having, .order, .limit, .join, .union, .window].contains(word) {
                throw error("\(word.rawValue) is not supported", at: token)
            }
            let after = condition == nil ? "WHERE or the end of the rule after the topic filters" : "the end of the rule"
            throw error("expected \(after), found \(describe(token))", at: token)
        }
    }

    // MARK: Select list

    private mutating func selectList() throws(RuleError) {
        var names: Set<String> = []
        repeat {
            let first = token
            if first.kind == .keyword(.from) {
                throw error("expected a column before FROM", at: first)
            }
            guard columns.count < RuleLimits.maxColumns else {
                throw error("more than \(RuleLimits.maxColumns) columns", at: first)
            }
            if try membersColumn() {
                if token.kind == .keyword(.as) { throw error("* has no name of its own", at: token) }
                continue
            }
            let name = try expressionColumn()
            guard names.insert(name).inserted else {
                throw error("two columns are called \(name); give one another name with AS", at: first)
            }
        } while accept(.comma)
    }

    /// `*` or `path.*`.
    private mutating func membersColumn() throws(RuleError) -> Bool {
        let path: UInt16
        let first = token
        let saved = self
        if accept(.star) {
            path = try addPath(steps: code.steps.count..<code.steps.count, at: token)
        } else if startsPath {
            let steps = try pathSteps(allowsStar: true)
            guard tokens[index - 1].kind == .star else {
                self = saved
                return false
            }
            path = try addPath(steps: steps, at: token)
        } else {
            return false
        }
        if columns.contains(where: { if case .members = $0.content { true } else { false } }) {
            throw error("only one column can be * or path.*", at: first)
        }
        columns.append(Column(content: .members(path), name: TextReference(.literals, offset: 0, count: 0)))
        return true
    }

    /// An expression with its name. Returns the name.
    private mutating func expressionColumn() throws(RuleError) -> String {
        let first = index
        let start = code.instructions.count
        let outerDepth = code.stackDepth
        code.stackDepth = 0
        try expression()
        stack -= 1
        let ownDepth = code.stackDepth
        code.stackDepth = max(outerDepth, ownDepth)
        let range = start..<code.instructions.count
        var path: UInt16?
        if range.count == 1, case .load(let number) = code.instructions[start] { path = number }

        let name: String
        if accept(.keyword(.as)) {
            name = try identifier("a name after AS")
            aliases[name] = Alias(instructions: range, stackDepth: ownDepth, path: path)
        } else {
            guard token.kind == .comma || token.kind == .keyword(.from) || token.kind == .end else {
                throw error("expected a comma, AS or FROM after the column, found \(describe(token))", at: token)
            }
            name = path.flatMap(lastMember) ?? source(first..<index)
        }
        let reference = addLiteral(Array(name.utf8))
        columns.append(Column(content: path.map { .path($0) } ?? .expression(range), name: reference))
        return name
    }

    /// The last name in a path.
    private func lastMember(of path: UInt16) -> String? {
        for step in code.steps[code.paths[Int(path)].steps].reversed() {
            if case .member(let offset, let count) = step {
                return String(decoding: code.literals[Int(offset)..<Int(offset) + Int(count)], as: UTF8.self)
            }
        }
        return nil
    }

    // MARK: Topic filters

    private mutating func filterList() throws(RuleError) {
        repeat {
            let place = token
            guard place.kind == .string || place.kind == .quotedIdentifier else {
                throw error("expected a topic filter in quotes after FROM, found \(describe(place))", at: place)
            }
            index += 1
            let filterText = String(decoding: unquoted(place), as: UTF8.self)
            guard let filter = TopicFilter(filterText) else {
                throw error("\(filterText.isEmpty ? "an empty text" : filterText) is not a topic filter", at: place)
            }
            guard filters.count < RuleLimits.maxFilters else {
                throw error("more than \(RuleLimits.maxFilters) topic filters", at: place)
            }
            if !filters.contains(filter) { filters.append(filter) }
        } while accept(.comma)
    }
}
