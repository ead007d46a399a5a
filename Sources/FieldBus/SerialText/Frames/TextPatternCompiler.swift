/// Parses an expression by recursive descent and writes the program of ``TextPattern`` as it goes.
struct TextPatternCompiler {
    struct Failure: Error {
        var problem: String
        /// Bytes before the place.
        var position: Int
    }

    private typealias Instruction = TextPattern.Instruction
    /// Nested groups.
    private static let maxDepth = 32
    private static let maxRepetition = 255

    private let text: [UInt8]
    private var position = 0
    private var depth = 0
    private(set) var groupNames: [String?] = [nil]

    init(_ source: String) { text = Array(source.utf8) }

    mutating func compile() throws(Failure) -> [TextPattern.Instruction] {
        guard text.count <= TextPattern.maxLength else { throw failure("more than \(TextPattern.maxLength) bytes") }
        let body = try alternatives()
        guard position == text.count else { throw failure("a \")\" without a \"(\"") }
        return [.save(0)] + Self.moved(body, by: 1) + [.save(1), .match]
    }

    private func failure(_ problem: String) -> Failure { Failure(problem: problem, position: position) }

    /// Jumps within a piece of program are relative to its begin until the piece has its place.
    private static func moved(_ code: [Instruction], by distance: Int) -> [Instruction] {
        code.map { instruction in
            switch instruction {
            case .split(let first, let second): .split(first + distance, second + distance)
            case .jump(let target): .jump(target + distance)
            default: instruction
            }
        }
    }

    private func checked(_ code: [Instruction]) throws(Failure) -> [Instruction] {
        guard code.count <= TextPattern.maxInstructions else { throw failure("the pattern is too large") }
        return code
    }

    // MARK: Grammar

    private mutating func alternatives() throws(Failure) -> [Instruction] {
        let first = try sequence()
        guard take(UInt8(ascii: "|")) else { return first }
        // The depth of recursion is that of the alternatives too.
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maxDepth else { throw failure("too many alternatives or groups") }
        let rest = try alternatives()
        let split = Instruction.split(1, first.count + 2)
        return try checked(
            [split] + Self.moved(first, by: 1) + [.jump(first.count + 2 + rest.count)] + Self.moved(rest, by: first.count + 2))
    }

    private mutating func sequence() throws(Failure) -> [Instruction] {
        var code: [Instruction] = []
        while position < text.count, text[position] != UInt8(ascii: "|"), text[position] != UInt8(ascii: ")") {
            let piece = try repeated()
            code = try checked(code + Self.moved(piece, by: code.count))
        }
        return code
    }

    private mutating func repeated() throws(Failure) -> [Instruction] {
        let piece = try atom()
        guard let (least, most) = try repetition() else { return piece }
        let isLazy = take(UInt8(ascii: "?"))
        if position < text.count, [UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?")].contains(text[position]) {
            throw failure("a repetition of a repetition")
        }
        let copies = max(least, most ?? least)
        guard copies * (piece.count + 1) <= TextPattern.maxInstructions else { throw failure("the pattern is too large") }
        var code: [Instruction] = []
        for _ in 0..<least { code += Self.moved(piece, by: code.count) }
        func split(_ on: Int, _ out: Int) -> Instruction { isLazy ? .split(out, on) : .split(on, out) }
        if let most {
            // Each of the optional ones skips all the rest.
            let end = code.count + (most - least) * (piece.count + 1)
            for _ in 0..<max(0, most - least) {
                code.append(split(code.count + 1, end))
                code += Self.moved(piece, by: code.count)
            }
        } else {
            let loop = code.count
            code.append(split(loop + 1, loop + piece.count + 2))
            code += Self.moved(piece, by: code.count)
            code.append(.jump(loop))
        }
        return try checked(code)
    }

    /// nil if nothing is repeated; the most is nil if there is no bound.
    private mutating func repetition() throws(Failure) -> (least: Int, most: Int?)? {
        guard position < text.count else { return nil }
        switch text[position] {
        case UInt8(ascii: "*"): position += 1; return (0, nil)
        case UInt8(ascii: "+"): position += 1; return (1, nil)
        case UInt8(ascii: "?"): position += 1; return (0, 1)
        case UInt8(ascii: "{"): position += 1
        default: return nil
        }
        let least = try number()
        var most: Int? = least
        if take(UInt8(ascii: ",")) { most = position < text.count && text[position] == UInt8(ascii: "}") ? nil : try number() }
        guard take(UInt8(ascii: "}")) else { throw failure("a \"}\" is missing") }
        if let most, most < least { throw failure("the repetition's bounds are the wrong way round") }
        return (least, most)
    }

    private mutating func number() throws(Failure) -> Int {
        let digits = text[position...].prefix { ByteSet.digits.contains($0) }
        guard let value = Int(String(decoding: digits.prefix(4), as: UTF8.self)), digits.count <= 3, value <= Self.maxRepetition
        else { throw failure("a number from 0 to \(Self.maxRepetition) is expected") }
        position += digits.count
        return value
    }

    private mutating func atom() throws(Failure) -> [Instruction] {
        let byte = text[position]
        position += 1
        switch byte {
        case UInt8(ascii: "."): return [.byte(.any)]
        case UInt8(ascii: "^"): return [.start]
        case UInt8(ascii: "$"): return [.end]
        case UInt8(ascii: "("): return try group()
        case UInt8(ascii: "["): return [.byte(try byteClass())]
        case UInt8(ascii: "\\"): return [.byte(try escape())]
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"):
            position -= 1
            throw failure("there is nothing to repeat before \"\(String(decoding: [byte], as: UTF8.self))\"")
        default: return [.byte(ByteSet(byte))]
        }
    }

    private mutating func group() throws(Failure) -> [Instruction] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maxDepth else { throw failure("too many alternatives or groups") }
        var number: Int?
        if take(UInt8(ascii: "?")) {
            if take(UInt8(ascii: "<")) {
                let name = text[position...].prefix { ByteSet.word.contains($0) }
                position += name.count
                guard !name.isEmpty, take(UInt8(ascii: ">")) else { throw failure("a group's name has letters, digits and \"_\"") }
                number = try newGroup(String(decoding: name, as: UTF8.self))
            } else if !take(UInt8(ascii: ":")) {
                throw failure("only (?<name> ) and (?: ) are known")
            }
        } else {
            number = try newGroup(nil)
        }
        let body = try alternatives()
        guard take(UInt8(ascii: ")")) else { throw failure("a \")\" is missing") }
        guard let number else { return body }
        return [.save(2 * number)] + Self.moved(body, by: 1) + [.save(2 * number + 1)]
    }

    private mutating func newGroup(_ name: String?) throws(Failure) -> Int {
        guard groupNames.count < TextPattern.maxGroups else { throw failure("more than \(TextPattern.maxGroups - 1) groups") }
        if let name, groupNames.contains(name) { throw failure("a second group \(name)") }
        groupNames.append(name)
        return groupNames.count - 1
    }

    private mutating func byteClass() throws(Failure) -> ByteSet {
        let isInverted = take(UInt8(ascii: "^"))
        var set = ByteSet()
        var isFirst = true
        while true {
            guard position < text.count else { throw failure("a \"]\" is missing") }
            let byte = text[position]
            if byte == UInt8(ascii: "]"), !isFirst { break }
            isFirst = false
            position += 1
            if byte == UInt8(ascii: "\\") {
                set.formUnion(try escape())
            } else if position + 1 < text.count, text[position] == UInt8(ascii: "-"), text[position + 1] != UInt8(ascii: "]") {
                let last = text[position + 1]
                guard last >= byte else { throw failure("a range that is the wrong way round") }
                for member in byte...last { set.insert(member) }
                position += 2
            } else {
                set.insert(byte)
            }
        }
        position += 1
        return isInverted ? set.inverted : set
    }

    private mutating func escape() throws(Failure) -> ByteSet {
        guard position < text.count else { throw failure("nothing after \"\\\"") }
        let byte = text[position]
        position += 1
        switch byte {
        case UInt8(ascii: "d"): return .digits
        case UInt8(ascii: "D"): return ByteSet.digits.inverted
        case UInt8(ascii: "w"): return .word
        case UInt8(ascii: "W"): return ByteSet.word.inverted
        case UInt8(ascii: "s"): return .space
        case UInt8(ascii: "S"): return ByteSet.space.inverted
        case UInt8(ascii: "r"): return ByteSet(13)
        case UInt8(ascii: "n"): return ByteSet(10)
        case UInt8(ascii: "t"): return ByteSet(9)
        case UInt8(ascii: "x"):
            let digits = String(decoding: text[position...].prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { throw failure("two hexadecimal digits are expected") }
            position += 2
            return ByteSet(value)
        default:
            guard !ByteSet.word.contains(byte) else {
                position -= 1
                throw failure("\"\\\(String(decoding: [byte], as: UTF8.self))\" has no meaning")
            }
            return ByteSet(byte)
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < text.count, text[position] == byte else { return false }
        position += 1
        return true
    }
}
