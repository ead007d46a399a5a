extension MartletConfiguration {
    /// `[[bus]]`: a line with devices on it.
    public struct Bus: Sendable, Equatable {
        public enum BusProtocol: String, Sendable, CaseIterable {
            case modbusTCP = "modbus-tcp"
            case modbusRTU = "modbus-rtu"
        }

        public enum Parity: String, Sendable, CaseIterable {
            case none, even, odd
        }

        public var name = ""
        public var `protocol` = BusProtocol.modbusTCP
        /// Not nil for Modbus TCP.
        public var host: String?
        public var port = 502
        /// Not nil for Modbus RTU.
        public var serialPort: String?
        public var baudRate = 9600
        public var parity = Parity.even
        public var dataBits = 8
        public var stopBits = 1
        public var timeout = Duration.milliseconds(500)
        public var retries = 2
        public var maxBackOff = Duration.seconds(60)
        public var maxGap = 8
        public package(set) var source = TableSource()

        public init() {}

        /// The rates that libmodbus sets.
        public static let baudRates = [
            110, 300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000, 576_000,
            921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
        ]
    }
}

extension MartletConfiguration.Bus: ConfigurationTable {
    private static let isTCP = Key<Self>.Condition("protocol", text: "protocol is \"modbus-tcp\"") {
        $0.protocol == .modbusTCP
    }
    private static let isRTU = Key<Self>.Condition("protocol", text: "protocol is \"modbus-rtu\"") {
        $0.protocol == .modbusRTU
    }

    package static let schema = Schema<Self>("A line with devices on it.") {
        Key("name", \.name, .name, .required, help: "What devices refer to; also in logs.")
        Key("protocol", \.protocol, .choice(BusProtocol.self), .required, help: "What is spoken on the line.")
        Key("host", \.host, .host, .required, when: isTCP, help: "Name or address of the device or gateway.")
        Key("port", \.port, .integer(1...65_535), when: isTCP, help: "TCP port.")
        Key("serial-port", \.serialPort, .path, .required, when: isRTU, help: "The serial port's device file.")
        Key(
            "baud-rate", \.baudRate, .integer(oneOf: baudRates), unit: "bit/s", when: isRTU,
            help: "Speed of the line."
        )
        Key("parity", \.parity, .choice(Parity.self), when: isRTU, help: "Parity bit of each character.")
        Key("data-bits", \.dataBits, .integer(oneOf: [8]), when: isRTU, help: "Modbus RTU has 8 bits a character.")
        Key("stop-bits", \.stopBits, .integer(oneOf: [1, 2]), when: isRTU, help: "Stop bits of each character.")
        Key(
            "timeout", \.timeout, .duration(.milliseconds(10)...(.seconds(60))),
            help: "How long a device may take to answer."
        )
        Key("retries", \.retries, .integer(0...10), help: "How often a request without an answer is repeated.")
        Key(
            "max-back-off", \.maxBackOff, .duration(.milliseconds(100)...(.days(1))),
            help: "The longest time between two tries to reach a device that does not answer."
        )
        Key(
            "max-gap", \.maxGap, .integer(0...124), unit: "registers",
            help: "How many unused registers a read may run over, to need fewer reads."
        )
    }

    static var examples: [Self] {
        [
            .example {
                $0.name = "line-1"
                $0.host = "192.0.2.10"
            },
            .example {
                $0.name = "line-2"
                $0.protocol = .modbusRTU
                $0.serialPort = "/dev/ttyS1"
                $0.baudRate = 19_200
                $0.parity = .none
                $0.stopBits = 2
            },
        ]
    }
}
