import CModbus
import Core
import Glibc

/// The simulator's sockets and registers.
// @unchecked Sendable: made by one thread and then handed over; only the simulator's thread calls `run(stop:)`.
final class SimulatorServer: @unchecked Sendable {
    let port: Int
    private let context: OpaquePointer
    private let mapping: UnsafeMutablePointer<modbus_mapping_t>
    private let listener: Int32
    private var clients: [Int32] = []
    private let started = SystemClock.monotonic()

    init(port: Int) throws(FieldBusError) {
        guard let context = modbus_new_tcp("127.0.0.1", Int32(clamping: port)) else {
            throw .unavailable(what: "simulator", detail: "libmodbus does not accept port \(port)")
        }
        guard
            let mapping = modbus_mapping_new(16, 16, Int32(SimulatedMeter.holdingRegisters), 16)
        else {
            modbus_free(context)
            throw .unavailable(what: "simulator", detail: "out of memory")
        }
        let listener = modbus_tcp_listen(context, 8)
        guard listener >= 0, listener < FD_SETSIZE else {
            let detail = String(cString: strerror(errno))
            if listener >= 0 { close(listener) }
            modbus_mapping_free(mapping)
            modbus_free(context)
            throw .unavailable(what: "simulator on 127.0.0.1 port \(port)", detail: detail)
        }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        _ = fcntl(listener, F_SETFL, O_NONBLOCK)
        // A client that sends half a request does not hold up the others for long.
        _ = cmodbus_set_response_timeout(context, 10_000)
        _ = cmodbus_set_indication_timeout(context, 200_000)
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &size) }
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        self.context = context
        self.mapping = mapping
        self.listener = listener
        mapping.pointee.tab_bits[0] = 1
        mapping.pointee.tab_registers[20] = SimulatedMeter.initialSetpoint
    }

    deinit {
        for client in clients { close(client) }
        close(listener)
        modbus_mapping_free(mapping)
        modbus_free(context)
    }

    /// Serves until the other end of the pipe `stop` is closed.
    func run(stop: Int32) {
        while true {
            var entries = ([stop, listener] + clients).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if poll(&entries, nfds_t(entries.count), -1) < 0 {
                if errno == EINTR { continue }
                return
            }
            if entries[0].revents != 0 { return }
            for entry in entries.dropFirst(2) where entry.revents != 0 { serve(entry.fd) }
            if entries[1].revents != 0 { accept() }
        }
    }

    private func accept() {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }
        guard clients.count < ModbusSimulator.maxClients, client < FD_SETSIZE else {
            close(client)
            return
        }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        clients.append(client)
    }

    /// One request of a client; a client that breaks the protocol is closed.
    private func serve(_ client: Int32) {
        modbus_set_socket(context, client)
        let answered = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(MODBUS_MAX_ADU_LENGTH)) { request in
            let length = cmodbus_receive(context, request.baseAddress)
            if length <= 0 { return length == 0 }
            update()
            return cmodbus_reply(context, request.baseAddress, length, mapping) >= 0
        }
        if !answered {
            close(client)
            clients.removeAll { $0 == client }
        }
    }

    /// Sets what moves to the present moment.
    private func update() {
        let moment = SimulatedMeter.moment(SystemClock.monotonic() - started)
        func set(_ address: Int, _ values: [UInt16]) {
            for (index, value) in values.enumerated() { mapping.pointee.tab_registers[address + index] = value }
        }
        set(0, WordOrder.abcd.registers(UInt64(moment.temperature.bitPattern), count: 2))
        set(2, WordOrder.abcd.registers(UInt64(moment.energy), count: 2))
        set(4, [moment.statusWord, UInt16(bitPattern: moment.power)])
        set(6, WordOrder.abcd.registers(moment.uptime, count: 4))
        var serialNumber = Array(SimulatedMeter.serialNumber.utf8.prefix(16))
        serialNumber.append(contentsOf: repeatElement(0, count: 16 - serialNumber.count))
        set(10, (0..<8).map { UInt16(serialNumber[2 * $0]) << 8 | UInt16(serialNumber[2 * $0 + 1]) })
        mapping.pointee.tab_input_registers[0] = moment.voltage
        mapping.pointee.tab_input_registers[1] = moment.frequency
        mapping.pointee.tab_input_bits[0] = moment.doorIsOpen ? 1 : 0
    }
}
