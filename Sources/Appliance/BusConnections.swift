import Configuration
import Core
import FieldBus

// Buses that get in each other's way, which no bus can see by itself: names of serial ports are the board's too.

extension MartletConfiguration {
    /// Looks for buses that are reached by the same port, whatever it is called.
    ///
    /// - Parameters:
    ///   - errors: takes serial lines that two buses would talk on.
    ///   - warnings: takes hosts that may bear it.
    func checkConnections(board: BoardProfile, _ errors: inout [ConfigurationError], _ warnings: inout [ConfigurationWarning]) {
        let ports = SerialPortName(boardPorts: board.portPaths.map { (name: $0.key, path: $0.value) })
        var taken: [String: (bus: Bus, name: String, isLine: Bool, asks: Bool)] = [:]
        for bus in buses {
            guard let (position, connection) = Drivers.driver(bus.protocol)?.connection(of: bus) else { continue }
            let (key, name, isLine, asks) = connection.place(ports)
            guard let other = taken[key] else {
                taken[key] = (bus, name, isLine, asks)
                continue
            }
            let place = "bus \(other.bus.name.quotedForMessage) at line \(other.bus.source.position.line)"
            if case .serialPort(let path) = connection {
                let alias = other.name == path ? "" : ", which calls it \(other.name.quotedForMessage)"
                errors.append(
                    ConfigurationError(
                        position, "serial port \(path.quotedForMessage) is that of \(place) already\(alias); devices of one line are devices of one bus"))
            } else if isLine || other.isLine {
                errors.append(
                    ConfigurationError(
                        position, "\(name) is the serial line of \(place) already; devices of one line are devices of one bus"))
            } else if !other.asks {
                taken[key] = (bus, name, isLine, asks)
            } else if asks {
                warnings.append(
                    ConfigurationWarning(
                        position,
                        "\(name) is that of \(place) too: two connections whose requests do not wait for each other; devices behind one "
                            + "gateway are better devices of one bus"))
            }
        }
    }
}

extension BusConnection {
    /// What two buses on one connection have in common, what people call it, whether it is a serial line, and whether the bus asks.
    fileprivate func place(_ ports: SerialPortName) -> (key: String, name: String, isLine: Bool, asks: Bool) {
        switch self {
        case .serialPort(let name): ("serial \(ports.identity(of: name))", name, true, true)
        case .server(let host, let port, let asks): ("tcp \(host.lowercased()) \(port)", "port \(port) of \(host)", false, asks)
        case .remoteLine(let host, let port): ("tcp \(host.lowercased()) \(port)", "port \(port) of \(host)", true, true)
        }
    }
}
