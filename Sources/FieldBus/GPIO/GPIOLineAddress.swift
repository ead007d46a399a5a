/// Which line: by its name, or by chip and offset or name.
///
///     "DI1"               a line of the board profile, or one that the kernel gives this name
///     "gpiochip0:17"      offset 17 of a chip by its number
///     "pinctrl-bcm2711:GPIO17"   a line by its name on a chip by its label
public struct GPIOLineAddress: Sendable, Hashable, CustomStringConvertible {
    /// The chip's name, path or label; nil for any chip.
    public var chip: String?
    /// The line's name, or its offset in decimal.
    public var line: String

    public init(chip: String?, line: String) {
        self.chip = chip
        self.line = line
    }

    /// The chip stands before the last colon.
    public init(_ text: String) {
        if let colon = text.lastIndex(of: ":") {
            self.init(chip: String(text[..<colon]), line: String(text[text.index(after: colon)...]))
        } else {
            self.init(chip: nil, line: text)
        }
    }

    public var description: String { chip.map { "\($0):\(line)" } ?? line }

    /// Finds the line.
    ///
    /// - Parameter boardLines: the names of the board profile, which come first.
    /// - Throws: there is no such chip or line, or several of this name; the message lists those that there are.
    public func resolve(
        among chips: [GPIOChip], boardLines: [String: GPIOLineAddress] = [:]
    ) throws(FieldBusError) -> (chip: GPIOChip, offset: Int) {
        if chip == nil, let line = boardLines[line] { return try line.resolve(among: chips) }
        guard !chips.isEmpty else { throw .unavailable(what: "GPIO line \(self)", detail: "this machine has no GPIO chip") }
        var candidates = chips
        if let chip {
            candidates = chips.filter { chip == $0.path || chip == $0.name }
            if candidates.isEmpty { candidates = chips.filter { chip == $0.label } }
            guard !candidates.isEmpty else {
                let names = chips.map { "\($0.name) (\($0.label))" }.joined(separator: ", ")
                throw .unavailable(what: "GPIO line \(self)", detail: "there is no chip \(chip); there are \(names)")
            }
            if let offset = Int(line), candidates.count == 1 {
                guard candidates[0].lines.indices.contains(offset) else {
                    throw .unavailable(
                        what: "GPIO line \(self)", detail: "\(candidates[0].name) has the offsets 0 to \(candidates[0].lines.count - 1)")
                }
                return (candidates[0], offset)
            }
        }
        let found = candidates.flatMap { chip in
            chip.lines.indices.filter { chip.lines[$0].name == line && !line.isEmpty }.map { (chip, $0) }
        }
        guard let first = found.first else {
            throw .unavailable(what: "GPIO line \(self)", detail: "there is no line \(line); \(Self.listing(candidates, boardLines))")
        }
        guard found.count == 1 else {
            let places = found.map { "\($0.0.name):\($0.1)" }.joined(separator: ", ")
            throw .unavailable(what: "GPIO line \(self)", detail: "several lines have this name: \(places)")
        }
        return first
    }

    /// What two names of one line have in common: chip and offset as far as the line is there now, else what the name says.
    ///
    /// - Parameter boardLines: as for ``resolve(among:boardLines:)``.
    public func identity(among chips: [GPIOChip], boardLines: [String: GPIOLineAddress] = [:]) -> String {
        if let (chip, offset) = try? resolve(among: chips, boardLines: boardLines) { return "\(chip.path):\(offset)" }
        let named = chip == nil ? boardLines[line] ?? self : self
        let line = Int(named.line).map { "\($0)" } ?? named.line
        guard let chip = named.chip else { return line }
        return "\(chip.hasPrefix("/") ? chip : "/dev/\(chip)"):\(line)"
    }

    private static let maxListed = 40

    private static func listing(_ chips: [GPIOChip], _ boardLines: [String: GPIOLineAddress]) -> String {
        let names = boardLines.keys.sorted() + chips.flatMap { $0.lines.map(\.name) }.filter { !$0.isEmpty }
        guard !names.isEmpty else {
            let offsets = chips.map { "\($0.name):0 to \($0.name):\(max(0, $0.lines.count - 1))" }.joined(separator: ", ")
            return "none has a name, so write chip and offset: \(offsets)"
        }
        return "there are \(names.prefix(maxListed).joined(separator: ", "))\(names.count > maxListed ? ", …" : "")"
    }
}
