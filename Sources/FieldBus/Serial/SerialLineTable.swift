package import Configuration

/// The keys of a bus on a serial port, whatever it speaks.
package protocol SerialLineTable: ConfigurationTable {
    /// nil when the bus is reached in another way.
    var serialPort: String? { get }
    var baudRate: Int { get }
    var parity: SerialLine.Parity { get }
    var dataBits: Int { get }
    var stopBits: Int { get }
    var direction: RS485Keys { get set }
}

/// Who turns the transceiver of an RS-485 line around.
package struct RS485Keys: Sendable, Equatable {
    /// The kernel does.
    package var rs485 = false
    package var rtsOnSend = true
    /// The program does, by this GPIO line.
    package var line: String?
    package var activeLow = false
    package var delayBeforeSend = Duration.zero
    package var delayAfterSend = Duration.zero

    package init() {}

    package var isUsed: Bool { rs485 || line != nil }
}

extension SerialLineTable {
    /// The keys of ``RS485Keys``.
    ///
    /// - Parameter isSerial: nil for a bus that always is.
    static func directionKeys(when isSerial: Key<Self>.Condition? = nil) -> [Key<Self>] {
        let delays = ValueType.duration(.zero...(.milliseconds(100)))
        let byKernel = Key<Self>.Condition("rs485", text: "rs485 is true") { $0.direction.rs485 }
        let byProgram = Key<Self>.Condition("rs485-line", text: "there is an rs485-line") { $0.direction.line != nil }
        let turns = Key<Self>.Condition("rs485", "rs485-line", text: "rs485 is true or there is an rs485-line") { $0.direction.isUsed }
        return [
            Key(
                "rs485", \.direction.rs485, .boolean, when: isSerial,
                help: "Has the kernel switch the direction of an RS-485 transceiver. Not needed where the hardware does it by itself."),
            Key("rts-on-send", \.direction.rtsOnSend, .boolean, when: byKernel, help: "Whether RTS is active while sending."),
            Key(
                "rs485-line", \.direction.line, .gpioLine,
                when: Key.Condition("rs485", "serial-port", text: "there is a serial-port and rs485 is false") { $0.serialPort != nil && !$0.direction.rs485 },
                example: "gpiochip0:18",
                help:
                    "Where the kernel cannot: the GPIO line that is active while the port sends, by its name in the board profile or the kernel's, or chip and offset or name."
            ),
            Key(
                "rs485-active-low", \.direction.activeLow, .boolean, when: byProgram,
                help: "Whether rs485-line is low while the port sends."),
            Key("delay-before-send", \.direction.delayBeforeSend, delays, when: turns, help: "From the switch to sending to the first bit."),
            Key("delay-after-send", \.direction.delayAfterSend, delays, when: turns, help: "From the last bit to the switch to receiving."),
        ]
    }

    /// The line that the keys describe.
    ///
    /// - Parameter board: the names of its serial ports and GPIO lines.
    func serialLine(_ serialPort: String, _ board: BoardProfile) -> SerialLine {
        var line = SerialLine(serialPort: serialPort)
        line.boardPorts = board.portPaths
        line.baudRate = baudRate
        line.parity = parity
        line.dataBits = dataBits
        line.stopBits = stopBits
        if direction.rs485 {
            var settings = RS485()
            settings.rtsOnSend = direction.rtsOnSend
            settings.delayBeforeSend = direction.delayBeforeSend
            settings.delayAfterSend = direction.delayAfterSend
            line.rs485 = settings
        }
        if let name = direction.line {
            var settings = RS485Line(GPIOLineAddress(name))
            settings.boardLines = board.lineAddresses
            settings.activeLow = direction.activeLow
            settings.delayBeforeSend = direction.delayBeforeSend
            settings.delayAfterSend = direction.delayAfterSend
            line.rs485Line = settings
        }
        return line
    }
}
