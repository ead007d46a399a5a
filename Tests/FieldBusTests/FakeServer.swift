import Core
import Glibc
import Synchronization

/// A Modbus TCP server that does as the test says: it can refuse, fall silent, lie and hang up.
final class FakeServer: Sendable {
    struct Request: Sendable {
        var bytes: [UInt8]
        /// Counted from 0 over all connections, and the connection that it came on.
        var number: Int
        var connection: Int

        var unit: UInt8 { bytes[6] }
        var function: UInt8 { bytes[7] }
        var address: Int { Int(bytes[8]) << 8 | Int(bytes[9]) }
        var quantity: Int { Int(bytes[10]) << 8 | Int(bytes[11]) }

        /// An answer with the right header.
        func answer(_ pdu: [UInt8]) -> [UInt8] {
            [bytes[0], bytes[1], 0, 0, UInt8((pdu.count + 1) >> 8), UInt8((pdu.count + 1) & 0xFF), unit] + pdu
        }

        func exception(_ code: UInt8) -> [UInt8] { answer([function | 0x80, code]) }

        /// The answer to functions 1…4 whose values are those of `value`.
        func values(_ value: (Int) -> UInt16) -> [UInt8] {
            if function <= 2 {
                var bits = [UInt8](repeating: 0, count: (quantity + 7) / 8)
                for index in 0..<quantity where value(address + index) != 0 { bits[index / 8] |= 1 << UInt8(index % 8) }
                return answer([function, UInt8(bits.count)] + bits)
            }
            return answer(
                [function, UInt8(2 * quantity)]
                    + (0..<quantity).flatMap { [UInt8(value(address + $0) >> 8), UInt8(value(address + $0) & 0xFF)] })
        }
    }

    enum Action: Sendable {
        case send([UInt8])
        case close
        /// Nothing at all.
        case silence
    }

    private struct Log {
        var requests: [Request] = []
        var sockets: [Int32] = []
        var connections = 0
        var stopped = false
    }

    let port: Int
    private let listener: Int32
    private let log = Mutex(Log())
    private let act: @Sendable (Request) -> [Action]

    var requests: [Request] { log.withLock { $0.requests } }

    init(port: Int = 0, _ act: @escaping @Sendable (Request) -> [Action]) {
        self.act = act
        (listener, self.port) = FakeServer.listen(port: port, backlog: 16)
        DetachedThread.start(name: "fake-server") { [self] in accept() }
    }

    static func listen(port: Int, backlog: Int32) -> (Int32, Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(bind(listener, $0, size) == 0)
                precondition(Glibc.listen(listener, backlog) == 0)
                getsockname(listener, $0, &size)
            }
        }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    func stop() {
        log.withLock { log in
            log.stopped = true
            for socket in log.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            if client < 0 { break }
            let number = log.withLock { log -> Int? in
                if log.stopped { return nil }
                log.sockets.append(client)
                log.connections += 1
                return log.connections - 1
            }
            guard let number else {
                close(client)
                break
            }
            DetachedThread.start(name: "fake-client") { [self] in serve(client, number) }
        }
        close(listener)
    }

    private func serve(_ client: Int32, _ connection: Int) {
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 512)
        receiving: while true {
            let count = recv(client, &chunk, chunk.count, 0)
            if count <= 0 { break }
            buffer += chunk[..<count]
            while buffer.count >= 8, buffer.count >= 6 + Int(buffer[5]) {
                let bytes = Array(buffer[..<(6 + Int(buffer[5]))])
                buffer.removeFirst(bytes.count)
                let request = log.withLock { log in
                    let request = Request(bytes: bytes, number: log.requests.count, connection: connection)
                    log.requests.append(request)
                    return request
                }
                for action in act(request) {
                    switch action {
                    case .send(let bytes): _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    case .close: break receiving
                    case .silence: break
                    }
                }
            }
        }
        log.withLock { $0.sockets.removeAll { $0 == client } }
        close(client)
    }
}

/// Registers and coils behind a ``FakeServer``, with functions 1…6, 15, 16 and 22.
final class FakeDevice: Sendable {
    let registers: Mutex<[UInt16]>
    private let unknownFunctions: Set<UInt8>
    private let ignoresWrites: Bool

    init(_ registers: [UInt16], unknownFunctions: Set<UInt8> = [], ignoresWrites: Bool = false) {
        self.registers = Mutex(registers)
        self.unknownFunctions = unknownFunctions
        self.ignoresWrites = ignoresWrites
    }

    func answer(_ request: FakeServer.Request) -> [UInt8] {
        if unknownFunctions.contains(request.function) { return request.exception(1) }
        return registers.withLock { registers in
            let body = request.bytes
            let isMultiple = request.function == 15 || request.function == 16 || request.function <= 4
            guard request.address + (isMultiple ? request.quantity : 1) <= registers.count else { return request.exception(2) }
            if request.function <= 4 { return request.values { registers[$0] } }
            func word(_ at: Int) -> UInt16 { UInt16(body[at]) << 8 | UInt16(body[at + 1]) }
            if !ignoresWrites {
                switch request.function {
                case 5: registers[request.address] = body[10] == 0xFF ? 1 : 0
                case 6: registers[request.address] = word(10)
                case 15:
                    for index in 0..<request.quantity {
                        registers[request.address + index] = UInt16(body[13 + index / 8] >> UInt8(index % 8) & 1)
                    }
                case 16:
                    for index in 0..<request.quantity { registers[request.address + index] = word(13 + 2 * index) }
                case 22:
                    registers[request.address] = registers[request.address] & word(10) | word(12) & ~word(10)
                default: return request.exception(1)
                }
            }
            return request.answer(Array(body[7..<(request.function == 22 ? 14 : 12)]))
        }
    }
}
