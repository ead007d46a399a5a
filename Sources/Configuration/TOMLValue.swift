internal import CTOML

/// A line and a column of the text that is being read.
package struct TOMLMark: Sendable, Comparable {
    package var line: UInt32
    package var column: UInt32

    package static func < (a: TOMLMark, b: TOMLMark) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A value of a TOML document and where it stands.
package struct TOMLValue: Sendable {
    package enum Content: Sendable {
        case table([TOMLEntry])
        case array([TOMLValue])
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        case dateTime
    }

    package var content: Content
    package var mark: TOMLMark

    /// With its article, for "must be …, not …".
    package var kind: String {
        switch content {
        case .table: "a table"
        case .array: "an array"
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a number with a fraction"
        case .boolean: "a boolean"
        case .dateTime: "a date or time"
        }
    }
}

/// A key of a table with its value.
package struct TOMLEntry: Sendable {
    package var key: String
    package var keyMark: TOMLMark
    package var value: TOMLValue
    /// Whether it is the profile's: it gives way where it has no meaning.
    package var isInherited = false

    /// Where the entry begins: its key, or the header of its table.
    package var mark: TOMLMark { min(keyMark, value.mark) }
}

/// Where and why a text is not TOML.
package struct TOMLSyntaxError: Error {
    package var mark: TOMLMark
    package var message: String
}

extension TOMLValue {
    /// Reads a document, which may be any bytes. The result is a table. The parser bounds how deep values nest, so that
    /// building the tree recursively is safe.
    static func parse(_ text: UnsafeBufferPointer<UInt8>) throws(TOMLSyntaxError) -> TOMLValue {
        let characters = UnsafeRawBufferPointer(text).assumingMemoryBound(to: CChar.self)
        guard let document = ctoml_parse(characters.baseAddress, characters.count) else {
            throw TOMLSyntaxError(mark: TOMLMark(line: 1, column: 1), message: "there is not enough memory to read this")
        }
        defer { ctoml_free(document) }
        if let error = ctoml_document_error(document)?.pointee {
            throw TOMLSyntaxError(
                mark: TOMLMark(error.position),
                message: sentence(String(error.message, error.message_length))
            )
        }
        let nodes = UnsafeBufferPointer(start: ctoml_document_nodes(document), count: ctoml_document_count(document))
        var index = 0
        return TOMLValue(nodes, at: &index)
    }

    /// toml++ begins most messages with "Error while parsing".
    private static func sentence(_ message: String) -> String {
        let start = "Error while parsing "
        return message.hasPrefix(start) ? "syntax error in \(message.dropFirst(start.count))" : "syntax error: \(message)"
    }

    /// Takes the node at `index` and its subtree.
    private init(_ nodes: UnsafeBufferPointer<ctoml_node>, at index: inout Int) {
        let node = nodes[index]
        index += 1
        mark = TOMLMark(node.position)
        switch node.kind {
        case CTOML_TABLE:
            var entries: [TOMLEntry] = []
            while index < node.end {
                let child = nodes[index]
                entries.append(
                    TOMLEntry(
                        key: String(child.key, child.key_length),
                        keyMark: TOMLMark(child.key_position),
                        value: TOMLValue(nodes, at: &index)
                    )
                )
            }
            content = .table(entries)
        case CTOML_ARRAY:
            var elements: [TOMLValue] = []
            while index < node.end { elements.append(TOMLValue(nodes, at: &index)) }
            content = .array(elements)
        case CTOML_STRING: content = .string(String(node.text, node.text_length))
        case CTOML_INTEGER: content = .integer(node.integer)
        case CTOML_FLOAT: content = .float(node.real)
        case CTOML_BOOLEAN: content = .boolean(node.boolean)
        default: content = .dateTime
        }
    }
}

extension TOMLMark {
    init(_ position: ctoml_position) { self.init(line: position.line, column: position.column) }
}

extension String {
    /// Text of the C side: a pointer, which may be NULL for no text, and a length.
    fileprivate init(_ text: UnsafePointer<CChar>?, _ length: Int) {
        self = String(decoding: UnsafeRawBufferPointer(start: text, count: length), as: UTF8.self)
    }
}
