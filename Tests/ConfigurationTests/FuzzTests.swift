import Core
import FieldBus
import TestSupport
import Testing

@testable import Configuration

/// No bytes can do more than be refused, in lines that say where.
@Suite("Damaged files")
struct FuzzTests {
    /// Without its profile, which each of some ten thousand readings would decode anew.
    private let fullExample = ConfigurationTests.fullExample.replacing("profile = \"eastron-sdm630\"", with: "")

    /// Of every byte one in so many, from a place that differs from run to run: all of them would take minutes.
    private let step = 7

    @Test("a file cut at any byte is decoded or refused with positions")
    func truncation() {
        let bytes = Array(fullExample.utf8)
        for count in stride(from: Int.random(in: 0..<step), to: bytes.count, by: step) {
            check(Array(bytes[..<count]), "cut at \(count)")
        }
    }

    @Test("a file with any bit flipped is decoded or refused with positions", arguments: [0, 1, 5, 7])
    func bitFlips(bit: Int) {
        let bytes = Array(fullExample.utf8)
        var refused = 0
        for index in stride(from: Int.random(in: 0..<step), to: bytes.count, by: step) {
            refused += check(bytes.flipping(bit: 8 * index + bit), "bit \(bit) of byte \(index) flipped") ? 0 : 1
        }
        // The most of the file has a meaning.
        #expect(refused > bytes.count / step / 4)
    }

    @Test("random bytes are refused with positions")
    func randomBytes() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            check(random.bytes(random.below(201)), "seed \(seed)")
        }
    }

    @Test("pieces of the file in any order are decoded or refused with positions")
    func shuffledPieces() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let lines = fullExample.split(separator: "\n", omittingEmptySubsequences: false)
        let words = ["[", "]", "[[", "{", "}", ",", "=", "\"", "'''", "\"\"\"", "-1", "1e999", "é", "\u{0}", "99999999999999999999", "nan"]
        for _ in 0..<1000 {
            var text = ""
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                text += Bool.random(using: &random) ? lines.randomElement(using: &random)! : ""
                text += Int.random(in: 0..<4, using: &random) == 0 ? words.randomElement(using: &random)! : "\n"
            }
            check(Array(text.utf8), "seed \(seed)")
        }
    }

    @Test("every value of the file replaced by one of another kind is refused, or decoded")
    func replacedValues() {
        let lines = fullExample.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let values = ["-1", "9223372036854775807", "1.5", "inf", "\"\"", "\"é/+#\"", "true", "[]", "[[1]]", "{ a = 1 }", "12:00:00"]
        for (index, line) in lines.enumerated() {
            guard let equals = line.firstRange(of: " = ") else { continue }
            for value in values.shuffled().prefix(3) {
                var changed = lines
                changed[index] = line[..<equals.upperBound] + value
                check(Array(changed.joined(separator: "\n").utf8), "line \(index + 1) with \(value)")
            }
        }
    }

    @Test("a file of nothing but mistakes gives a bounded list of them")
    func bounded() {
        let text = String(repeating: "[[device]]\nlong-unknown-key = 1\n", count: 20_000)
        let result = Result { try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue) }
        guard case .failure(let errors as ConfigurationErrors) = result else { return #expect(Bool(false), "decoded") }
        #expect(errors.errors.count == Findings.limit)
    }

    /// Whether the bytes decode; a refusal must have a position inside of the file, and what decodes must print and
    /// decode to the same again.
    @discardableResult
    private func check(_ bytes: [UInt8], _ label: String) -> Bool {
        do {
            let configuration = try MartletConfiguration.decode(bytes: bytes, file: "m", drivers: Drivers.catalogue)
            let printed = ConfigurationPrinter.file(of: configuration)
            let again = try MartletConfiguration.decode(text: printed, file: "printed", drivers: Drivers.catalogue)
            #expect(again == configuration, "\(label)")
            return true
        } catch {
            let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
            #expect(!error.errors.isEmpty, "\(label)")
            for error in error.errors where !(1...lines).contains(error.line) || error.column < 1 || error.message.isEmpty {
                Issue.record("\(label): \(error)")
            }
            return false
        }
    }
}
