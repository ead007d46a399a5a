// Comma-separated values as RFC 4180 has them, and as Excel writes them: perhaps with a byte-order mark, perhaps with
// semicolons, lines ended in any way.
//
// A field is plain, or in quotation marks, where a quotation mark is written twice and everything else stands for itself.

/// One record of a file.
package struct CSVRecord: Sendable, Equatable {
    /// The line on which it begins, from 1.
    package var line: Int
    package var fields: [String]
}

/// What is wrong with a file of comma-separated values.
package struct CSVSyntaxError: Error, Equatable {
    package var line: Int
    package var message: String
}

package enum CSV {
    /// The most fields of a record, and the most bytes of a field.
    package static let maxFields = 256
    package static let maxFieldBytes = 65_536

    /// Reads a file, which may be any bytes. Lines with nothing on them are left out.
    ///
    /// - Returns: the records, and what stands between their fields: `;` if the first line has one outside of quotation
    ///   marks and no `,`.
    package static func parse(_ bytes: [UInt8]) throws(CSVSyntaxError) -> (records: [CSVRecord], separator: UInt8) {
        var reader = CSVReader(bytes)
        var records: [CSVRecord] = []
        while let record = try reader.next() {
            if record.fields != [""] { records.append(record) }
        }
        return (records, reader.separator)
    }

    /// A record with its end of line, CR LF.
    package static func line(_ fields: [String]) -> String {
        fields.map { field in
            let isPlain = field.utf8.allSatisfy { $0 != comma && $0 != semicolon && $0 != quote && $0 != lineFeed && $0 != carriageReturn }
            return isPlain ? field : "\"\(field.replacing("\"", with: "\"\""))\""
        }.joined(separator: ",") + "\r\n"
    }

    static let comma = UInt8(ascii: ",")
    static let semicolon = UInt8(ascii: ";")
    static let quote = UInt8(ascii: "\"")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
}

private struct CSVReader {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    let separator: UInt8

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        separator = CSVReader.separator(bytes[index...])
    }

    private static func separator(_ bytes: ArraySlice<UInt8>) -> UInt8 {
        var isQuoted = false
        var hasSemicolon = false
        for byte in bytes {
            switch byte {
            case CSV.quote: isQuoted.toggle()
            case CSV.comma where !isQuoted: return CSV.comma
            case CSV.semicolon where !isQuoted: hasSemicolon = true
            case CSV.lineFeed where !isQuoted, CSV.carriageReturn where !isQuoted: return hasSemicolon ? CSV.semicolon : CSV.comma
            default: break
            }
        }
        return hasSemicolon ? CSV.semicolon : CSV.comma
    }

    mutating func next() throws(CSVSyntaxError) -> CSVRecord? {
        guard index < bytes.count else { return nil }
        var record = CSVRecord(line: line, fields: [])
        while true {
            guard record.fields.count < CSV.maxFields else {
                throw CSVSyntaxError(line: record.line, message: "there are more than \(CSV.maxFields) fields")
            }
            record.fields.append(try field())
            guard index < bytes.count else { return record }
            let end = bytes[index]
            index += 1
            if end == separator { continue }
            if end == CSV.carriageReturn, index < bytes.count, bytes[index] == CSV.lineFeed { index += 1 }
            line += 1
            return record
        }
    }

    /// Stops at what ends the field.
    private mutating func field() throws(CSVSyntaxError) -> String {
        let start = line
        var content: [UInt8] = []
        if index < bytes.count, bytes[index] == CSV.quote {
            index += 1
            while true {
                guard index < bytes.count else {
                    throw CSVSyntaxError(line: start, message: "a quotation mark is never closed")
                }
                let byte = bytes[index]
                index += 1
                if byte == CSV.quote {
                    guard index < bytes.count, bytes[index] == CSV.quote else { break }
                    index += 1
                }
                if byte == CSV.lineFeed { line += 1 }
                try append(byte, to: &content, start)
            }
            guard index == bytes.count || isEnd(bytes[index]) else {
                throw CSVSyntaxError(line: line, message: "there is text behind a closing quotation mark; inside of a field it is written twice")
            }
        } else {
            while index < bytes.count, !isEnd(bytes[index]) {
                guard bytes[index] != CSV.quote else {
                    throw CSVSyntaxError(line: line, message: "a quotation mark is inside of a field that does not begin with one")
                }
                try append(bytes[index], to: &content, start)
                index += 1
            }
        }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw CSVSyntaxError(line: start, message: "the text is not UTF-8; save the file as \"CSV UTF-8\"")
        }
        return text
    }

    private func append(_ byte: UInt8, to content: inout [UInt8], _ start: Int) throws(CSVSyntaxError) {
        guard content.count < CSV.maxFieldBytes else {
            throw CSVSyntaxError(line: start, message: "a field has more than \(CSV.maxFieldBytes) bytes")
        }
        content.append(byte)
    }

    private func isEnd(_ byte: UInt8) -> Bool { byte == separator || byte == CSV.lineFeed || byte == CSV.carriageReturn }
}
