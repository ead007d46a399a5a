/// Splits a rule's text into tokens. White space and `-- comments` separate them.
struct SQLLexer {
    let text: [UInt8]
    private var at = 0

    init(_ text: [UInt8]) { self.text = text }

    /// All tokens; the last one is `end`.
    static func tokens(of text: [UInt8]) throws(RuleError) -> [SQLToken] {
        guard text.count <= RuleLimits.maxLength else {
            throw RuleError(
                "the rule is longer than \(RuleLimits.maxLength) bytes", at: RuleLimits.maxLength, of: text)
        }
        var lexer = SQLLexer(text)
        var tokens: [SQLToken] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private func peek(_ distance: Int = 0) -> UInt8 { at + distance < text.count ? text[at + distance] : 0 }

    private mutating func next() throws(RuleError) -> SQLToken {
        skipSpace()
        let start = at
        guard at < text.count else { return SQLToken(kind: .end, range: start..<start) }
        let byte = text[at]
        if Self.isNameStart(byte) { return name(from: start) }
        if Self.isDigit(byte) || byte == UInt8(ascii: ".") && Self.isDigit(peek(1)) && !followsName(start) {
            return try number(from: start)
        }
        switch byte {
        case UInt8(ascii: "'"):
            return try quoted(.string, "'", from: start)
        case UInt8(ascii: "\""):
            return try quoted(.quotedIdentifier, "\"", from: start)
        case UInt8(ascii: "`"):
            return try quoted(.quotedIdentifier, "`", from: start)
        default:
            return try sign(byte, from: start)
        }
    }

    /// After a name, `.5` is a step of a path and not a number.
    private func followsName(_ start: Int) -> Bool {
        guard start > 0 else { return false }
        let before = text[start - 1]
        return Self.isNamePart(before) || before == UInt8(ascii: "`") || before == UInt8(ascii: "\"")
            || before == UInt8(ascii: "]")
    }

    private mutating func skipSpace() {
        while at < text.count {
            switch text[at] {
            case 0x20, 0x09, 0x0A, 0x0D:
                at += 1
            case UInt8(ascii: "-") where peek(1) == UInt8(ascii: "-"):
                while at < text.count, text[at] != UInt8(ascii: "\n") { at += 1 }
            default:
                return
            }
        }
    }

    private mutating func name(from start: Int) -> SQLToken {
        while at < text.count, Self.isNamePart(text[at]) { at += 1 }
        let word = String(decoding: text[start..<at], as: UTF8.self)
        if word.utf8.count <= 8, let keyword = SQLToken.Keyword(rawValue: word.uppercased()) {
            return SQLToken(kind: .keyword(keyword), range: start..<at)
        }
        return SQLToken(kind: .identifier, range: start..<at)
    }

    private mutating func number(from start: Int) throws(RuleError) -> SQLToken {
        var kind = SQLToken.Kind.integer
        while Self.isDigit(peek()) { at += 1 }
        if peek() == UInt8(ascii: "."), Self.isDigit(peek(1)) {
            kind = .real
            at += 1
            while Self.isDigit(peek()) { at += 1 }
        }
        if peek() | 0x20 == UInt8(ascii: "e") {
            let sign = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-") ? 1 : 0
            if Self.isDigit(peek(1 + sign)) {
                kind = .real
                at += 1 + sign
                while Self.isDigit(peek()) { at += 1 }
            }
        }
        if Self.isNamePart(peek()) {
            throw RuleError("a name cannot start with a digit; put it in double quotes", at: start, of: text)
        }
        return SQLToken(kind: kind, range: start..<at)
    }

    /// A quote inside is doubled.
    private mutating func quoted(
        _ kind: SQLToken.Kind, _ quote: Unicode.Scalar, from start: Int
    ) throws(RuleError) -> SQLToken {
        let mark = UInt8(ascii: quote)
        at += 1
        while at < text.count {
            if text[at] == mark {
                at += 1
                if peek() != mark || at >= text.count {
                    if kind == .quotedIdentifier, at - start == 2 {
                        throw RuleError("the name between the quotes is empty", at: start, of: text)
                    }
                    return SQLToken(kind: kind, range: start..<at)
                }
            }
            at += 1
        }
        let what = kind == .string ? "text" : "name"
        throw RuleError("the \(what) that starts here has no closing \(quote)", at: start, of: text)
    }

    private mutating func sign(_ byte: UInt8, from start: Int) throws(RuleError) -> SQLToken {
        let second = peek(1)
        let kind: SQLToken.Kind
        var length = 1
        switch byte {
        case UInt8(ascii: "("): kind = .leftParenthesis
        case UInt8(ascii: ")"): kind = .rightParenthesis
        case UInt8(ascii: "["): kind = .leftBracket
        case UInt8(ascii: "]"): kind = .rightBracket
        case UInt8(ascii: ","): kind = .comma
        case UInt8(ascii: "."): kind = .dot
        case UInt8(ascii: "+"): kind = .plus
        case UInt8(ascii: "-"): kind = .minus
        case UInt8(ascii: "*"): kind = .star
        case UInt8(ascii: "/"): kind = .slash
        case UInt8(ascii: "%"): kind = .percent
        case UInt8(ascii: "|") where second == UInt8(ascii: "|"): (kind, length) = (.concat, 2)
        case UInt8(ascii: "="): (kind, length) = (.equal, second == UInt8(ascii: "=") ? 2 : 1)
        case UInt8(ascii: "!") where second == UInt8(ascii: "="): (kind, length) = (.notEqual, 2)
        case UInt8(ascii: "<") where second == UInt8(ascii: ">"): (kind, length) = (.notEqual, 2)
        case UInt8(ascii: "<") where second == UInt8(ascii: "="): (kind, length) = (.lessOrEqual, 2)
        case UInt8(ascii: "<"): kind = .less
        case UInt8(ascii: ">") where second == UInt8(ascii: "="): (kind, length) = (.greaterOrEqual, 2)
        case UInt8(ascii: ">"): kind = .greater
        default:
            let character = byte > 0x20 && byte < 0x7F ? "'\(Character(Unicode.Scalar(byte)))'" : "character \(byte)"
            throw RuleError("unexpected \(character)", at: start, of: text)
        }
        at += length
        return SQLToken(kind: kind, range: start..<at)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static func isNameStart(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$") || (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    private static func isNamePart(_ byte: UInt8) -> Bool { isNameStart(byte) || isDigit(byte) }
}
