public import Core

/// A Modbus line with its devices: everything that ``PolledBus`` needs to know.
public struct ModbusBus: Sendable, Hashable {
    /// Shown in logs and status.
    public var name: String
    public var transport: ModbusTransport
    /// How long a device may take to answer: 10 ms…60 s. On a serial line the time that the frames take is added.
    public var responseTimeout: Duration = .milliseconds(500)
    /// How often a request is repeated before the device counts as not answering: 0…10.
    public var retries: Int = 2
    /// The longest time between two tries to reach a device that does not answer: 100 ms…1 day.
    public var maxBackOff: Duration = .seconds(60)
    /// How many registers that nobody asked for a read may run over, to need fewer reads: 0…124. For coils and discrete
    /// inputs sixteen times as many bits.
    public var maxGap: Int = 8
    /// The least time between an answer and the next request: 0…10 s.
    public var pause: Duration = .zero
    public var devices: [ModbusDevice]

    public init(name: String, transport: ModbusTransport, devices: [ModbusDevice] = []) {
        self.name = name
        self.transport = transport
        self.devices = devices
    }

    /// The protocol's name in the configuration.
    public var protocolName: String {
        switch transport {
        case .tcp: "modbus-tcp"
        case .rtu: "modbus-rtu"
        case .rtuOverTCP: "modbus-rtu-tcp"
        }
    }
}

/// How a Modbus line is reached.
public enum ModbusTransport: Sendable, Hashable {
    /// Modbus TCP: a host name, an IPv4 or an IPv6 address, and a port (502 by the standard).
    case tcp(host: String, port: Int)
    /// Modbus RTU over a serial port.
    case rtu(SerialLine)
    /// RTU frames over a TCP connection, to a serial line behind a device server that passes bytes on as they are.
    case rtuOverTCP(host: String, port: Int)

    /// Whether the frames are those of a serial line, with a check sum and without a transaction identifier.
    public var framing: ModbusFraming {
        if case .tcp = self { .tcp } else { .rtu }
    }

    /// Whether a request to this unit identifier goes to all devices and is not answered.
    public func isBroadcast(_ unit: Int) -> Bool { unit == 0 && framing == .rtu }
}

/// How a request or answer is wrapped on its way.
public enum ModbusFraming: Sendable, Hashable {
    /// Transaction identifier, protocol, length and unit identifier in front (Modbus Messaging on TCP/IP 1.0b §3.1.3).
    case tcp
    /// Unit identifier in front, check sum behind (Modbus over Serial Line 1.02 §2.5.1).
    case rtu
}

/// A serial port and its parameters.
public struct SerialLine: Sendable, Hashable {
    public enum Parity: String, Sendable, CaseIterable {
        case none
        case even
        case odd
    }

    /// The device file, or another name of the port (``SerialPortName``).
    public var serialPort: String
    /// The ports that the board profile names: name and path.
    public var boardPorts: [String: String] = [:]
    /// Has the kernel switch the direction of an RS-485 transceiver.
    public var rs485: RS485?
    /// Switches it by a GPIO line, in place of ``rs485``.
    public var rs485Line: RS485Line?
    /// One of ``supportedBaudRates``.
    public var baudRate: Int = 9600
    public var parity: Parity = .even
    /// 5…8; Modbus RTU needs 8.
    public var dataBits: Int = 8
    /// 1 or 2.
    public var stopBits: Int = 1

    public init(serialPort: String) { self.serialPort = serialPort }

    /// Opens the port by the path that its name has now, and takes its GPIO line.
    func open() throws(FieldBusError) -> SerialPort {
        let name = SerialPortName(boardPorts: boardPorts.map { (name: $0.key, path: $0.value) })
        let path = try name.path(of: serialPort)
        return try SerialPort(path: path, line: self, rs485: rs485, direction: try rs485Line?.open(self))
    }

    /// The usual ones.
    public static let supportedBaudRates = [
        110, 300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000, 576_000,
        921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
    ]
}

/// One device (Modbus server) on a line.
public struct ModbusDevice: Sendable, Hashable {
    public var identifier: DeviceIdentifier
    /// RTU 0…247, where 0 stands for all devices of the line: written to, never read. TCP 0…247 and 255.
    public var unitIdentifier: Int
    /// Overrides the bus' value for this device.
    public var responseTimeout: Duration?
    /// Overrides the bus' value for this device.
    public var retries: Int?
    /// Overrides the bus' value for this device.
    public var maxGap: Int?
    /// Overrides the bus' value for this device.
    public var pause: Duration?
    /// The most registers that one request may ask for, and a sixteenth of the bits: 1…125.
    public var maxQuantity = 125
    public var points: [ModbusPoint]

    public init(identifier: DeviceIdentifier, unitIdentifier: Int, points: [ModbusPoint] = []) {
        self.identifier = identifier
        self.unitIdentifier = unitIdentifier
        self.points = points
    }
}

/// The four tables of a Modbus device.
public enum ModbusArea: String, Sendable, CaseIterable {
    case coil = "coil"
    case discreteInput = "discrete-input"
    case inputRegister = "input-register"
    case holdingRegister = "holding-register"

    /// Whether the area holds bits rather than registers.
    public var holdsBits: Bool { self == .coil || self == .discreteInput }
    public var isWritable: Bool { self == .coil || self == .holdingRegister }
    /// The most that one read may ask for (Modbus Application Protocol 1.1b3 §6.1–6.4).
    public var maxQuantity: Int { holdsBits ? 2000 : 125 }
}

/// One measurement point and where it lies in its device.
public struct ModbusPoint: Sendable, Hashable {
    /// The point's identifier within its product.
    public var identifier: String
    public var type: PointType
    public var area: ModbusArea
    /// Counted from 0, as it goes over the line: register 40001 of a manual is holding register 0.
    public var address: Int
    public var wordOrder: WordOrder = .abcd
    /// For a BOOL in a register: 0 (least significant)…15. Without it the BOOL is true when the register is not 0.
    public var bit: Int?
    /// For a STRING: its length in bytes, 1…250. An odd length leaves the last byte of the last register unused.
    public var length: Int = 0
    /// From the number in the registers to the value. A scaled value is an LREAL.
    public var conversion = PointConversion()
    public var writable = false
    /// How often the point is read: 10 ms…1 day.
    public var interval: Duration = .seconds(1)

    public init(identifier: String, type: PointType, area: ModbusArea, address: Int) {
        self.identifier = identifier
        self.type = type
        self.area = area
        self.address = address
    }

    /// How many registers (or bits, in the areas of bits) the point takes.
    public var quantity: Int { ModbusPoint.quantity(type, length: length) }

    /// - Parameter length: of a STRING, in bytes.
    static func quantity(_ type: PointType, length: Int) -> Int {
        switch type {
        case .bool, .int, .uint: 1
        case .dint, .udint, .real: 2
        case .lint, .ulint, .lreal: 4
        case .string: (length + 1) / 2
        }
    }
}
