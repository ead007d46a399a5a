import Core

/// The GPIO line that turns the transceiver of an RS-485 line around where the kernel cannot (``RS485``).
public struct RS485Line: Sendable {
    public var address: GPIOLineAddress
    /// The names of the board profile.
    public var boardLines: [String: GPIOLineAddress] = [:]
    /// Whether the line is low while the port sends.
    public var activeLow = false
    /// From the line to the first bit, 0…100 ms.
    public var delayBeforeSend: Duration = .zero
    /// From the last bit to the line, 0…100 ms.
    public var delayAfterSend: Duration = .zero
    /// Where the line is looked for.
    public var chips: any GPIOChips = LibgpiodChips()

    public init(_ address: GPIOLineAddress) { self.address = address }

    /// Takes the line, which receives at first.
    ///
    /// - Throws: the line is not there, or in use.
    func open(_ line: SerialLine) throws(FieldBusError) -> RS485Switch {
        let (chip, offset) = try address.resolve(among: chips.all(), boardLines: boardLines)
        var settings = GPIOLineSettings(direction: .output(initial: false))
        settings.activeLow = activeLow
        return RS485Switch(
            try chips.request(chip, offset: offset, settings, consumer: "martlet"), delayBeforeSend: delayBeforeSend,
            delayAfterSend: delayAfterSend, timing: SerialTiming(line))
    }
}

extension RS485Line: Hashable {
    /// The chips are the machine's, whoever shows them.
    public static func == (one: RS485Line, other: RS485Line) -> Bool {
        one.address == other.address && one.boardLines == other.boardLines && one.activeLow == other.activeLow
            && one.delayBeforeSend == other.delayBeforeSend && one.delayAfterSend == other.delayAfterSend
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(address) }
}
