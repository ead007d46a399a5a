/// Writes tables as TOML, with or without comments.
struct FilePrinter {
    private(set) var text = ""
    /// The tables and keys that have been explained already.
    private var explained: Set<String> = []
    private let drivers: DriverCatalogue

    init(drivers: DriverCatalogue = DriverCatalogue([])) { self.drivers = drivers }

    /// One or more lines of at most 120 characters.
    mutating func comment(_ sentence: String, indent: String = "") {
        let start = "\(indent)#"
        var line = start
        for word in sentence.split(separator: " ") {
            if line.count + 1 + word.count > 120 {
                text += "\(line)\n"
                line = start
            }
            line += " \(word)"
        }
        text += "\(line)\n"
    }

    /// A table with all its keys, explained.
    mutating func table(_ block: TableBlock) {
        text += "\n"
        comment(block.help)
        explained.insert(block.path)
        text += "\(block.header)\n"
        // What has neither value nor example is explained where an example table has it.
        for line in block.lines where line.value ?? line.key.exampleText != nil {
            comment(explanation(of: line.key))
            explained.insert(identity(of: line, in: block))
            if let value = line.value {
                text += "\(line.key.name) = \(value)\n"
            } else if let example = line.key.exampleText {
                text += "#\(line.key.name) = \(example)\n"
            }
        }
    }

    /// A table that is commented out. Keys are explained where they first appear.
    mutating func example(_ block: TableBlock) {
        // One that need not be there is shown where it says something.
        if !block.isRepeated, block.children.isEmpty, block.lines.allSatisfy({ $0.value == nil || $0.isDefault }) { return }
        let indent = indent(of: block)
        text += "\n"
        if explained.insert(block.path).inserted { comment(block.help, indent: indent) }
        text += "\(indent)#\(block.header)\n"
        for line in block.lines {
            guard let value = line.value else { continue }
            let isNew = explained.insert(identity(of: line, in: block)).inserted
            if isNew {
                comment(explanation(of: line.key), indent: indent)
            } else if line.isDefault {
                continue
            }
            text += "\(indent)#\(line.key.name) = \(value)\n"
        }
        for child in block.children { example(child) }
    }

    /// What differs from the defaults, without comments.
    mutating func plain(_ block: TableBlock) {
        let lines = block.lines.filter { $0.value != nil && !$0.isDefault }
        if !lines.isEmpty || block.isRepeated {
            let indent = indent(of: block)
            // A file as a whole has no header.
            if !block.path.isEmpty { text += "\(text.isEmpty ? "" : "\n")\(indent)\(block.header)\n" }
            for line in lines { text += "\(indent)\(line.key.name) = \(line.value ?? "")\n" }
        }
        for child in block.children { plain(child) }
    }

    /// Two spaces for each table around this one.
    private func indent(of block: TableBlock) -> String {
        String(repeating: "  ", count: max(0, block.path.split(separator: ".").count - 1))
    }

    private func explanation(of key: KeyDescription) -> String {
        let range = key.range(drivers)
        return range.isEmpty ? key.help : "\(key.help) (\(range))"
    }

    /// A key of one protocol is another than that of the same name of the next.
    private func identity(of line: TableBlock.Line, in block: TableBlock) -> String { "\(block.path).\(line.owner).\(line.key.name)" }
}
