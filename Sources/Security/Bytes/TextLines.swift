/// The lines of a file that hold something: without comments, empty lines and the white space around.
struct TextLines: Sequence, IteratorProtocol {
    private var rest: ArraySlice<UInt8>
    private var number = 0

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func next() -> (number: Int, bytes: ArraySlice<UInt8>)? {
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            var line = rest[..<end]
            rest = rest[end...].dropFirst()
            while let last = line.last, TextLines.isSpace(last) { line.removeLast() }
            while let first = line.first, TextLines.isSpace(first) { line.removeFirst() }
            if let first = line.first, first != UInt8(ascii: "#") { return (number, line) }
        }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}
