import Glibc

/// The packets and conversations in Tests/Corpus, which fuzzers damage.
public enum Corpus {
    private static let folder: String = {
        let here = "\(#filePath)"
        return here.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Corpus"
    }()

    /// Packets of every type, as either side may send them.
    ///
    /// - Parameter version: `3.1`, `3.1.1` or `5.0`.
    public static func packets(_ version: String) -> [[UInt8]] { read("packets-\(version).txt") }

    /// What clients send from CONNECT on, the packets of each in their order.
    public static func conversations(_ version: String) -> [[[UInt8]]] {
        let names = ["talk", "retained", "session"] + (version == "5.0" ? ["properties", "authentication"] : [])
        return names.map { read("conversation-\(version)-\($0).txt") }
    }

    /// Sparkplug B payloads in the order of `test_sparkplug_corpus.py`, which makes them with another encoder.
    public static func sparkplugPayloads() -> [[UInt8]] { read("sparkplug.txt") }

    private static func read(_ name: String) -> [[UInt8]] {
        let path = "\(folder)/\(name)"
        guard let file = fopen(path, "r") else { fatalError("\(path): \(String(cString: strerror(errno)))") }
        defer { fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk.prefix(count) }
        return text.split(separator: UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }.map {
            guard let packet = bytes($0) else { fatalError("\(path): '\(String(decoding: $0, as: UTF8.self))' is no packet") }
            return packet
        }
    }

    /// Hexadecimal digits, and text in single quotes.
    private static func bytes(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        for (index, part) in line.split(separator: UInt8(ascii: "'"), omittingEmptySubsequences: false).enumerated() {
            if index % 2 == 1 {
                bytes += part
                continue
            }
            let digits = part.filter { $0 != UInt8(ascii: " ") }
            guard digits.count % 2 == 0 else { return nil }
            for pair in digits.pieces(of: 2) {
                guard let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16) else { return nil }
                bytes.append(byte)
            }
        }
        return bytes
    }
}
