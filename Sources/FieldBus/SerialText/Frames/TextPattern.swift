// A regular expression over bytes that takes time proportional to the text, whatever the expression and the text are: the
// expression becomes a small program, and all ways through it are followed side by side (Thompson's construction, with the
// priorities of Perl's expressions between the ways). A backtracking matcher can be led to take hours by one line of garbage.

/// A regular expression with named groups.
///
/// It knows `.` `[a-z]` `[^,]` `\d \w \s \D \W \S` `\r \n \t \xHH`, `( )`, `(?: )`, `(?<name> )`, `|`, `* + ?` and
/// `{m,n}`, all but greedy with a `?` behind, and `^` `$` for the frame's begin and end. Any other character stands for itself,
/// with a `\` before it if it has a meaning. It matches anywhere in a frame.
public struct TextPattern: Sendable, Hashable {
    /// Bytes of an expression.
    public static let maxLength = 1024
    /// Instructions of its program: repetitions multiply them.
    static let maxInstructions = 4096
    static let maxGroups = 32

    enum Instruction: Sendable, Hashable {
        case byte(ByteSet)
        /// Both ways; the first is the better one.
        case split(Int, Int)
        case jump(Int)
        case save(Int)
        case start
        case end
        case match
    }

    /// The expression as it was written.
    public let source: String
    /// By number; the group 0 is the whole match, and a group without a name has nil.
    public let groupNames: [String?]
    let program: [Instruction]

    /// - Throws: what is wrong with the expression, and where.
    public init(_ source: String) throws(FieldBusError) {
        var compiler = TextPatternCompiler(source)
        do throws(TextPatternCompiler.Failure) {
            program = try compiler.compile()
        } catch {
            throw .invalid(place: "pattern \"\(source)\"", problem: "\(error.problem) at character \(error.position + 1)")
        }
        self.source = source
        groupNames = compiler.groupNames
    }

    /// The number of a group; nil if there is none of this name.
    public func group(_ name: String) -> Int? { groupNames.firstIndex(of: name) }
}

/// A set of byte values.
struct ByteSet: Sendable, Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}
    init(_ byte: UInt8) { insert(byte) }
    init(_ text: String) { for byte in text.utf8 { insert(byte) } }

    static let digits = ByteSet("0123456789")
    static let space = ByteSet(" \t\r\n\u{0B}\u{0C}")
    static let word = ByteSet("0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    /// All but the line feed.
    static let any = ByteSet(10).inverted

    var inverted: ByteSet {
        var set = ByteSet()
        set.words = (~words.0, ~words.1, ~words.2, ~words.3)
        return set
    }

    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << (byte & 63)
        return switch byte >> 6 {
        case 0: words.0 & bit != 0
        case 1: words.1 & bit != 0
        case 2: words.2 & bit != 0
        default: words.3 & bit != 0
        }
    }

    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << (byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    mutating func formUnion(_ other: ByteSet) {
        words = (words.0 | other.words.0, words.1 | other.words.1, words.2 | other.words.2, words.3 | other.words.3)
    }

    static func == (a: ByteSet, b: ByteSet) -> Bool { a.words == b.words }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
