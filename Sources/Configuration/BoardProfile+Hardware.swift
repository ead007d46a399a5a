extension BoardProfile {
    /// `[[serial-port]]`: a port with the name that stands beside its socket.
    public struct SerialPort: Sendable, Equatable {
        public var name = ""
        /// A device file, or a name in /dev/serial/by-id or by-path.
        public var path: String?
        public var rs485 = RS485Direction.none
        public package(set) var source = TableSource()

        public init() {}
    }

    /// Who turns the transceiver of an RS-485 port around.
    public enum RS485Direction: String, Sendable, CaseIterable {
        /// It is no RS-485 port.
        case none
        /// The hardware by itself.
        case hardware
        /// The kernel, when a bus says `rs485 = true`.
        case kernel
    }

    /// `[[gpio-line]]`: a line with the name that stands beside its terminal.
    public struct GPIOLine: Sendable, Equatable {
        public var name = ""
        /// By label, name or path; nil for any chip that has a line of this name.
        public var chip: String?
        /// The kernel's name of the line, or its offset.
        public var line: String?
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension BoardProfile.SerialPort: ConfigurationTable {
    package static let schema = Schema<Self>("A serial port of the board.") {
        Key("name", \.name, .name, .required, help: "What a bus refers to, as it stands beside the socket: RS485-1.")
        Key("path", \.path, .label, .required, help: "Its device file, or its name in /dev/serial/by-id or by-path.")
        Key("rs485", \.rs485, .choice(BoardProfile.RS485Direction.self), help: "Who turns an RS-485 transceiver around.")
    }
}

extension BoardProfile.GPIOLine: ConfigurationTable {
    package static let schema = Schema<Self>("A GPIO line of the board.") {
        Key("name", \.name, .name, .required, help: "What a point refers to, as it stands beside the terminal: DI1.")
        Key("chip", \.chip, .label, example: "pinctrl-bcm2711", help: "Its chip by label, name or path. The label stays when chips are renumbered.")
        Key("line", \.line, .label, .required, help: "The kernel's name of the line, or its offset.")
    }
}
