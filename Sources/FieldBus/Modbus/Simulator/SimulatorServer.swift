import Core
import Glibc

/// The simulator's line and units.
// @unchecked Sendable: made by one thread and then handed over; only the simulator's thread calls `run(stop:)`.
final class SimulatorServer: @unchecked Sendable {
    /// The port it listens on; 0 for a serial line.
    let port: Int
    private let listener: Int32
    private var clients: [Client] = []
    private let maxClients: Int
    private var units: [Int: SimulatedUnit]
    private let delay: Duration
    private let started = SystemClock.monotonic()

    private struct Client {
        let descriptor: Int32
        var reader: RequestReader
    }

    init(_ line: ModbusSimulator.Line, units: [Int: SimulatedUnit], delay: Duration, maxClients: Int) throws(FieldBusError) {
        self.units = units
        self.delay = delay
        self.maxClients = maxClients
        switch line {
        case .tcp(let address, let port, let framing):
            (listener, self.port) = try SimulatorServer.listen(address, port)
            self.framing = framing
        case .descriptor(let descriptor):
            listener = -1
            port = 0
            framing = .rtu
            clients = [Client(descriptor: descriptor, reader: RequestReader(framing: .rtu))]
        case .serial(let line):
            listener = -1
            port = 0
            framing = .rtu
            clients = [Client(descriptor: try SimulatorServer.open(line), reader: RequestReader(framing: .rtu))]
        }
    }

    private let framing: ModbusFraming

    deinit {
        for client in clients { close(client.descriptor) }
        if listener >= 0 { close(listener) }
    }

    /// Serves until the other end of the pipe `stop` is closed, or the serial port vanishes.
    func run(stop: Int32) {
        while true {
            var entries = ([stop, listener] + clients.map(\.descriptor)).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            if poll(&entries, nfds_t(entries.count), -1) < 0 {
                if errno == EINTR { continue }
                return
            }
            if entries[0].revents != 0 { return }
            for index in clients.indices.reversed() where entries[index + 2].revents != 0 {
                if serve(index) { continue }
                close(clients[index].descriptor)
                clients.remove(at: index)
                if listener < 0 { return }
            }
            if entries[1].revents != 0 { accept() }
        }
    }

    private func accept() {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }
        guard clients.count < maxClients else {
            close(client)
            return
        }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        clients.append(Client(descriptor: client, reader: RequestReader(framing: framing)))
    }

    /// What a client has sent; false for one that has gone or breaks the protocol.
    private func serve(_ index: Int) -> Bool {
        let descriptor = clients[index].descriptor
        let count = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                clients[index].reader.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]), now: SystemClock.monotonic())
            }
            return count
        }
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        guard count > 0 else { return false }
        while let request = clients[index].reader.next() {
            guard let answer = answer(request) else { continue }
            if delay > .zero { SystemClock.sleep(for: delay) }
            guard write(descriptor, answer, answer.count) == answer.count else { return false }
        }
        return !clients[index].reader.isBroken
    }

    /// nil where no device answers: a unit that is not there, and a broadcast.
    private func answer(_ request: RequestReader.Request) -> [UInt8]? {
        let elapsed = SystemClock.monotonic() - started
        if request.unitIdentifier == 0, framing == .rtu {
            for unit in units.keys { _ = units[unit]?.answer(request.pdu) }
            return nil
        }
        guard var unit = units[request.unitIdentifier] else { return nil }
        units[request.unitIdentifier] = nil
        unit.update(&unit, elapsed)
        let answer = unit.isSilent ? nil : unit.answer(request.pdu)
        units[request.unitIdentifier] = unit
        guard let answer else { return nil }
        return request.wrapped(answer)
    }

    // MARK: Opening

    private static func listen(_ host: String, _ port: Int) throws(FieldBusError) -> (Int32, Int) {
        let what = "simulator on \(host) port \(port)"
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        guard (0...65_535).contains(port), inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw .unavailable(what: what, detail: "no IPv4 address and port")
        }
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && Glibc.listen(listener, 128) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard listener >= 0, isListening else {
            let detail = String(cString: strerror(errno))
            if listener >= 0 { close(listener) }
            throw .unavailable(what: what, detail: detail)
        }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func open(_ line: SerialLine) throws(FieldBusError) -> Int32 {
        try line.validate(place: "simulator")
        let port = try line.open()
        let descriptor = fcntl(port.descriptor, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .unavailable(what: line.serialPort, detail: String(cString: strerror(errno))) }
        return descriptor
    }
}
