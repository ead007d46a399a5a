/// A sentence of NMEA 0183: `$` or `!`, talker and type, fields between commas, `*` and a check sum.
public struct NMEASentence: Sendable, Hashable {
    /// Who speaks: `GP`, `GN`, `II`…; `P` for a maker's own sentence.
    public let talker: String
    /// What it says: `GGA`, `RMC`…; in a maker's own sentence all that stands behind the `P`.
    public let type: String
    /// What stands between the commas; the first is behind the type.
    public let fields: [[UInt8]]

    public enum Problem: Error, Sendable, Hashable {
        /// There is no sentence in the frame.
        case noSentence
        /// The check sum is missing or wrong.
        case checkSum
    }

    /// Bytes between `$` and the end of the check sum. The standard has 82; some receivers write more.
    public static let maxLength = 1024

    /// Takes the last sentence of a frame: what stands before is the rest of one that was cut off.
    public init(_ frame: [UInt8]) throws(Problem) {
        guard let start = frame.lastIndex(where: { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "!") }) else { throw .noSentence }
        var body = frame[(start + 1)...]
        while let last = body.last, last == 13 || last == 10 || last == 32 { body.removeLast() }
        guard body.count <= Self.maxLength else { throw .noSentence }
        guard let star = body.lastIndex(of: UInt8(ascii: "*")), body.endIndex - star == 3,
            let sum = UInt8(String(decoding: body[(star + 1)...], as: UTF8.self), radix: 16), body[star + 1] != UInt8(ascii: "+")
        else { throw .checkSum }
        body = body[..<star]
        guard body.reduce(0, ^) == sum else { throw .checkSum }
        let parts = body.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard let head = parts.first, head.count >= 2, let name = String(validating: head, as: UTF8.self) else { throw .noSentence }
        let isOwn = head.first == UInt8(ascii: "P")
        guard isOwn || head.count >= 4 else { throw .noSentence }
        talker = String(name.prefix(isOwn ? 1 : 2))
        type = String(name.dropFirst(isOwn ? 1 : 2))
        fields = parts.dropFirst().map(Array.init)
    }

    /// A field by its number from 1; nil if there is none or it is empty.
    public func field(_ number: Int) -> [UInt8]? {
        fields.indices.contains(number - 1) && !fields[number - 1].isEmpty ? fields[number - 1] : nil
    }
}
