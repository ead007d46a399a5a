import Configuration

extension BoardProfile {
    /// What the board calls its GPIO lines.
    package var lineAddresses: [String: GPIOLineAddress] {
        Dictionary(gpioLines.map { ($0.name, GPIOLineAddress(chip: $0.chip, line: $0.line ?? "")) }) { first, _ in first }
    }

    /// What the board calls its serial ports.
    package var portPaths: [String: String] {
        Dictionary(serialPorts.map { ($0.name, $0.path ?? "") }) { first, _ in first }
    }
}
