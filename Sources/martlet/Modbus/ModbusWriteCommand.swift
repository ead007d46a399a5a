import ArgumentParser
import Core
import FieldBus

struct ModbusWriteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Writes values to a device, reads them back and compares.",
        discussion: """
            The function is the one that fits: 5 or 15 for coils, 6 or 16 for registers, 22 for a bit of a register; --multiple, \
            --mask and --read choose another. With --unit 0 a serial line's devices all do it, and none answers.
            """)

    @OptionGroup var line: ModbusLineOptions
    @OptionGroup var unit: ModbusUnitOptions
    @OptionGroup var place: RegisterOptions

    // What looks like an option that does not exist may be a negative number.
    @Argument(parsing: .allUnrecognized, help: "Values for consecutive places.")
    var values: [String] = []

    @Flag(help: "Functions 15 and 16 for a single value too.")
    var multiple = false

    @Flag(help: "Does not read back.")
    var noVerify = false

    @Option(help: "Function 22: AND,OR as numbers, 0x for hexadecimal. The register becomes (register AND and) OR (or AND NOT and).")
    var mask: String?

    @Option(help: "Function 23: how many registers to read in the same request.")
    var read: Int?

    @Option(help: "With --read: the first register (default: --address).")
    var readAddress: Int?

    private enum Work {
        case coils([Bool])
        case registers([UInt16])
        case bit(Bool)
        case mask(and: UInt16, or: UInt16)
        case writeAndRead([UInt16], from: Int, quantity: Int)
    }

    func validate() throws { _ = try work() }

    private func work() throws -> Work {
        let point = try place.point(writable: true)
        if let mask {
            let words = mask.split(separator: ",").compactMap { ModbusWriteCommand.word($0) }
            guard words.count == 2, values.isEmpty, point.area == .holdingRegister else {
                throw ValidationError("--mask is AND,OR of a holding-register, such as 0xFFF0,0x0005, without values")
            }
            return .mask(and: words[0], or: words[1])
        }
        guard !values.isEmpty else { throw ValidationError("give at least one value") }
        guard point.address + values.count * point.quantity <= 65_536 else { throw ValidationError("the values end after 65535") }
        var registers: [UInt16] = []
        var flags: [Bool] = []
        for text in values {
            guard let value = place.value(text) else { throw ValidationError("\(text) is no \(point.type.rawValue), nor an option") }
            if point.type == .bool { flags.append(value == .bool(true)) }
            guard !point.area.holdsBits else { continue }
            do throws(EncodeFailure) {
                registers += try RegisterCodec(point).encode(value)
            } catch {
                throw ValidationError(
                    error == .outOfRange ? "\(text) does not fit a \(point.type.rawValue)" : "\(text) is no \(point.type.rawValue)")
            }
        }
        guard flags.count <= 1968, registers.count <= 121 else { throw ValidationError("that is too much for one request") }
        if let read {
            let from = readAddress ?? place.address
            guard point.area == .holdingRegister, point.bit == nil, (1...125).contains(read), from >= 0, from + read <= 65_536 else {
                throw ValidationError("--read is 1…125 holding registers")
            }
            return .writeAndRead(registers, from: from, quantity: read)
        }
        if point.area.holdsBits { return .coils(flags) }
        if point.bit != nil {
            guard values.count == 1 else { throw ValidationError("one value for one bit") }
            return .bit(flags[0])
        }
        return .registers(registers)
    }

    private static func word(_ text: Substring) -> UInt16? {
        text.lowercased().hasPrefix("0x") ? UInt16(text.dropFirst(2), radix: 16) : UInt16(text)
    }

    func run() throws {
        let work = try work()
        var connection = try ModbusOutput.open(line.transport, trace: unit.trace)
        do throws(RequestFailure) {
            try send(work, &connection)
        } catch {
            throw ModbusOutput.exit(error)
        }
        if connection.isBroadcast(unit.unit) {
            // Whoever uses the line next leaves the devices the time as well.
            SystemClock.sleep(for: ModbusConnection.turnaroundDelay)
            Console.print("sent to all units")
        } else if case .writeAndRead(_, let from, let quantity) = work {
            for (index, register) in connection.registers(quantity).enumerated() { Console.print("\(from + index)\t\(register)") }
        } else if case .mask = work {
            Console.print("written")
        } else if noVerify {
            Console.print("written")
        } else {
            try verify(work, &connection)
        }
    }

    private func send(_ work: Work, _ connection: inout ModbusConnection) throws(RequestFailure) {
        let address = place.address
        let number = unit.unit
        let timeout = unit.timeout.duration
        let multiple = multiple
        try unit.attempt(&connection) { connection throws(RequestFailure) in
            switch work {
            case .coils(let flags) where flags.count == 1:
                try connection.writeCoil(flags[0], unit: number, address: address, multiple: multiple, timeout: timeout)
            case .coils(let flags): try connection.writeCoils(flags, unit: number, address: address, timeout: timeout)
            case .registers(let registers):
                try connection.writeRegisters(registers, unit: number, address: address, multiple: multiple, timeout: timeout)
            case .bit(let on):
                let mask = place.bitMask
                try connection.maskWriteRegister(
                    and: ~mask, or: on ? mask : 0, unit: number, address: address, timeout: timeout)
            case .mask(let and, let or):
                try connection.maskWriteRegister(and: and, or: or, unit: number, address: address, timeout: timeout)
            case .writeAndRead(let registers, let from, let quantity):
                try connection.writeAndReadRegisters(
                    registers, at: address, unit: number, startingAddress: from, quantity: quantity, timeout: timeout)
            }
        }
    }

    /// Reads back what was written and compares.
    private func verify(_ work: Work, _ connection: inout ModbusConnection) throws {
        let wanted: [UInt16] =
            switch work {
            case .coils(let flags): flags.map { $0 ? 1 : 0 }
            case .registers(let registers): registers
            case .bit(let on): [on ? place.bitMask : 0]
            case .mask, .writeAndRead: []
            }
        do throws(RequestFailure) {
            try unit.attempt(&connection) { connection throws(RequestFailure) in
                try connection.read(
                    place.area, unit: unit.unit, startingAddress: place.address, quantity: wanted.count,
                    timeout: unit.timeout.duration)
            }
        } catch {
            Console.error("martlet: written, but reading back failed: \(error.detail)")
            throw ExitCode(2)
        }
        var found =
            place.area.holdsBits
            ? connection.bits(wanted.count).map { UInt16($0) } : Array(connection.registers(wanted.count))
        if case .bit = work { found[0] &= place.bitMask }
        guard found == wanted else {
            Console.error("martlet: written, but the device gives back \(place.hexadecimal(found)) instead of \(place.hexadecimal(wanted))")
            throw ExitCode(2)
        }
        Console.print("written, read back")
    }
}
