import Configuration
import Core
import FieldBus

// Buses that get in each other's way, which no bus can see by itself: names of serial ports and GPIO lines are the board's too.

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
            let alias = other.name.lowercased() == name.lowercased() ? "" : ", which calls it \(other.name)"
            if isLine || other.isLine {
                let what = if case .serialPort = connection { "serial port \(name) is that" } else { "\(name) is the serial line" }
                errors.append(ConfigurationError(position, "\(what) of \(place) already\(alias); devices of one line are devices of one bus"))
            } else if !other.asks {
                taken[key] = (bus, name, isLine, asks)
            } else if asks {
                warnings.append(
                    ConfigurationWarning(
                        position,
                        "\(name) is that of \(place) too\(alias): two connections whose requests do not wait for each other; devices behind one "
                            + "gateway are better devices of one bus"))
            }
        }
    }
}

extension BusConnection {
    /// What two buses on one connection have in common, what people call it, whether it is a serial line, and whether the bus asks.
    fileprivate func place(_ ports: SerialPortName) -> (key: String, name: String, isLine: Bool, asks: Bool) {
        switch self {
        case .serialPort(let name): ("serial \(ports.identity(of: name))", name.quotedForMessage, true, true)
        case .server(let host, let port, let asks): ("tcp \(HostName.identity(of: host)) \(port)", "port \(port) of \(host)", false, asks)
        case .remoteLine(let host, let port): ("tcp \(HostName.identity(of: host)) \(port)", "port \(port) of \(host)", true, true)
        }
    }
}

extension [(driver: any Driver.Type, description: BusDescription)] {
    /// Looks for GPIO lines that two buses take, whatever they are called: as a point, or to turn a transceiver around. The points
    /// of one bus are its driver's matter.
    ///
    /// - Parameter chips: where the lines are looked for.
    func checkLines(_ errors: inout [ConfigurationError], chips: any GPIOChips = LibgpiodChips()) {
        let lines = flatMap { driver, description in driver.lines(description).map { (description, $0) } }
        guard let board = first?.description.board, Set(lines.map(\.0.bus.name)).count > 1 else { return }
        let all = chips.all()
        var taken: [String: (bus: MartletConfiguration.Bus, name: String)] = [:]
        // A product's points are the same for all of its devices.
        var told: Set<SourcePosition> = []
        for (description, line) in lines {
            let key = GPIOLineAddress(line.name).identity(among: all, boardLines: board.lineAddresses)
            guard let other = taken[key] else {
                taken[key] = (description.bus, line.name)
                continue
            }
            guard other.bus.name != description.bus.name, told.insert(line.position).inserted else { continue }
            let alias = other.name == line.name ? "" : ", which calls it \(other.name.quotedForMessage)"
            errors.append(
                ConfigurationError(
                    line.position,
                    "bus \(description.bus.name.quotedForMessage): GPIO line \(line.name.quotedForMessage) is that of bus "
                        + "\(other.bus.name.quotedForMessage) at line \(other.bus.source.position.line) already\(alias); only one can have it"))
        }
    }
}
