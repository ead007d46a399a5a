internal import CModbus
import Core

// Requests that write. Unit 0 of a serial line is all of its devices: none answers, and the line is left alone for the
// turnaround delay in which they do as they were told (Modbus over Serial Line 1.02 §2.4.1).

extension ModbusConnection {
    /// What a master leaves the devices of a line after a broadcast: 100…200 ms by the standard.
    public static let turnaroundDelay = Duration.milliseconds(200)

    /// Writes one coil: function 5, or 15 with `multiple`.
    public mutating func writeCoil(
        _ on: Bool, unit: Int, address: Int, multiple: Bool, timeout: Duration
    ) throws(RequestFailure) {
        if multiple { return try writeCoils([on], unit: unit, address: address, timeout: timeout) }
        if isBroadcast(unit) { return try broadcast(ProtocolDataUnit.writeSingleCoil(on, address: address), timeout: timeout) }
        let request = Request(unitIdentifier: unit, function: 5, address: address, quantity: 1)
        try begin(request, bytesOnLine: 16, timeout: timeout)
        try end(request, cmodbus_write_single_coil(context, Int32(clamping: address), on ? 1 : 0), timeout: timeout)
    }

    /// Writes up to 1968 coils: function 15.
    public mutating func writeCoils(
        _ values: [Bool], unit: Int, address: Int, timeout: Duration
    ) throws(RequestFailure) {
        guard (1...1968).contains(values.count) else { throw .badFrame("quantity \(values.count)") }
        if isBroadcast(unit) {
            return try broadcast(ProtocolDataUnit.writeMultipleCoils(values, address: address), timeout: timeout)
        }
        let request = Request(unitIdentifier: unit, function: 15, address: address, quantity: values.count)
        try begin(request, bytesOnLine: 9 + (values.count + 7) / 8 + 8, timeout: timeout)
        let bits: [UInt8] = values.map { $0 ? 1 : 0 }
        try end(
            request, cmodbus_write_multiple_coils(context, Int32(clamping: address), Int32(values.count), bits),
            timeout: timeout)
    }

    /// Writes up to 123 registers: function 16, or 6 for a single one without `multiple`.
    public mutating func writeRegisters(
        _ values: [UInt16], unit: Int, address: Int, multiple: Bool, timeout: Duration
    ) throws(RequestFailure) {
        guard let first = values.first, values.count <= 123 else { throw .badFrame("quantity \(values.count)") }
        let single = values.count == 1 && !multiple
        if isBroadcast(unit) {
            return try broadcast(
                single
                    ? ProtocolDataUnit.writeSingleRegister(first, address: address)
                    : ProtocolDataUnit.writeMultipleRegisters(values, address: address), timeout: timeout)
        }
        let request = Request(
            unitIdentifier: unit, function: single ? 6 : 16, address: address, quantity: values.count)
        try begin(request, bytesOnLine: 9 + 2 * values.count + 8, timeout: timeout)
        let result =
            single
            ? cmodbus_write_single_register(context, Int32(clamping: address), first)
            : cmodbus_write_multiple_registers(context, Int32(clamping: address), Int32(values.count), values)
        try end(request, result, timeout: timeout)
    }

    /// register = (register AND `and`) OR (`or` AND NOT `and`): function 22.
    public mutating func maskWriteRegister(
        and: UInt16, or: UInt16, unit: Int, address: Int, timeout: Duration
    ) throws(RequestFailure) {
        if isBroadcast(unit) {
            return try broadcast(ProtocolDataUnit.maskWriteRegister(and: and, or: or, address: address), timeout: timeout)
        }
        let request = Request(unitIdentifier: unit, function: 22, address: address, quantity: 1)
        try begin(request, bytesOnLine: 20, timeout: timeout)
        try end(request, cmodbus_mask_write_register(context, Int32(clamping: address), and, or), timeout: timeout)
    }

    /// Writes up to 121 registers and then reads up to 125, in one request: function 23. They are in ``registers(_:)``.
    public mutating func writeAndReadRegisters(
        _ values: [UInt16], at address: Int, unit: Int, startingAddress: Int, quantity: Int, timeout: Duration
    ) throws(RequestFailure) {
        guard (1...121).contains(values.count), (1...125).contains(quantity) else {
            throw .badFrame("quantities \(values.count) and \(quantity)")
        }
        let request = Request(unitIdentifier: unit, function: 23, address: startingAddress, quantity: quantity)
        try begin(request, bytesOnLine: 13 + 2 * values.count + 5 + 2 * quantity, timeout: timeout)
        let result = cmodbus_write_and_read_registers(
            context, Int32(clamping: address), Int32(values.count), values, Int32(clamping: startingAddress),
            Int32(quantity), registerBuffer.baseAddress)
        try end(request, result, timeout: timeout)
        if Int(result) != quantity { throw .badFrame("\(result) values instead of \(quantity)") }
    }

    /// Whether a request to this unit identifier goes to all devices and is not answered.
    public func isBroadcast(_ unit: Int) -> Bool { transport.isBroadcast(unit) }

    private mutating func broadcast(_ pdu: [UInt8], timeout: Duration) throws(RequestFailure) {
        let request = Request(unitIdentifier: 0, function: Int(pdu[0]), address: 0, quantity: 0)
        let frame = CheckSum.appended(to: [0] + pdu)
        try begin(request, bytesOnLine: frame.count, timeout: timeout)
        let result = send(frame)
        try end(request, result, timeout: timeout)
        lastActivity +=
            (timing?.duration(ofCharacters: frame.count) ?? .zero) + ModbusConnection.turnaroundDelay
    }
}
