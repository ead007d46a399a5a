package import Configuration

/// The keys of a bus on a serial port, whatever it speaks.
package protocol SerialLineTable: ConfigurationTable {
    /// nil when the bus is reached in another way.
    var serialPort: String? { get }
    var baudRate: Int { get }
    var parity: SerialLine.Parity { get }
    var dataBits: Int { get }
    var stopBits: Int { get }
    var rs485: Bool { get }
    var rtsOnSend: Bool { get }
    var delayBeforeSend: Duration { get }
    var delayAfterSend: Duration { get }
}

extension SerialLineTable {
    /// The line that the keys describe.
    ///
    /// - Parameter board: the names of its serial ports.
    func serialLine(_ serialPort: String, _ board: BoardProfile) -> SerialLine {
        var line = SerialLine(serialPort: serialPort)
        line.boardPorts = board.portPaths
        line.baudRate = baudRate
        line.parity = parity
        line.dataBits = dataBits
        line.stopBits = stopBits
        if rs485 {
            var settings = RS485()
            settings.rtsOnSend = rtsOnSend
            settings.delayBeforeSend = delayBeforeSend
            settings.delayAfterSend = delayAfterSend
            line.rs485 = settings
        }
        return line
    }
}
