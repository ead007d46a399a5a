internal import CModbus
import Core
internal import Glibc

// Exchanges that libmodbus has no function for: frames are written and read here.

/// What a device says of itself (function 43, type 14). Text that is not UTF-8 is repaired.
public struct ModbusDeviceIdentification: Sendable, Hashable {
    public var vendorName: String
    public var productCode: String
    public var revision: String
}

extension ModbusConnection {
    /// No transaction of libmodbus, which counts up from 1, comes near it on a connection of reasonable age; and the answer
    /// of each has come before the next begins.
    private static let transactionIdentifier: UInt16 = 0xFFFF

    /// Asks a device who it is: function 43, type 14, the basic objects.
    public mutating func readDeviceIdentification(
        unit: Int, timeout: Duration
    ) throws(RequestFailure) -> ModbusDeviceIdentification {
        let pdu = ProtocolDataUnit.readBasicDeviceIdentification
        let request = Request(unitIdentifier: unit, function: Int(pdu[0]), address: 0, quantity: 0)
        let frame = wrapped(pdu, unit: unit)
        try begin(request, bytesOnLine: frame.count + 128, timeout: timeout)
        var result = send(frame)
        var answer: [UInt8] = []
        if result >= 0 { result = receive(&answer, unit: unit, function: pdu[0], timeout: timeout) }
        try end(request, result, timeout: timeout)
        guard let identification = ModbusDeviceIdentification(answer) else {
            throw .badFrame("an identification that cannot be read")
        }
        return identification
    }

    private var badData: Int32 { Int32(CMODBUS_BAD_DATA) }

    private func wrapped(_ pdu: [UInt8], unit: Int) -> [UInt8] {
        let body = [UInt8(clamping: unit)] + pdu
        if transport.framing == .rtu { return CheckSum.appended(to: body) }
        let identifier = ModbusConnection.transactionIdentifier
        return [UInt8(identifier >> 8), UInt8(identifier & 0xFF), 0, 0, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
    }

    /// All of the frame; a negated errno on failure.
    func send(_ frame: [UInt8]) -> Int32 {
        switched?.begin()
        defer { switched?.end(bytes: frame.count) }
        var sent = 0
        while sent < frame.count {
            let count = frame[sent...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EAGAIN || errno == EINTR {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&entry, 1, 1000) > 0 || errno == EINTR { continue }
                return -ETIMEDOUT
            }
            guard count > 0 else { return count < 0 ? -errno : -EIO }
            sent += count
        }
        return Int32(clamping: sent)
    }

    /// The answer from the function code on, in `pdu`; a negated errno of the system or of libmodbus on failure.
    private func receive(_ pdu: inout [UInt8], unit: Int, function: UInt8, timeout: Duration) -> Int32 {
        let deadline = SystemClock.monotonic() + timeout + (timing?.duration(ofCharacters: 300) ?? .zero)
        var frame: [UInt8] = []
        while frame.count <= 512 {
            // A frame of a serial line is whole when its check sum is right and nothing follows.
            let isWhole = transport.framing == .rtu && CheckSum.isRight(frame[...])
            let limit = isWhole ? SystemClock.monotonic() + (timing?.burst ?? .zero) : deadline
            let left = (limit - SystemClock.monotonic()).wholeNanoseconds
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = left > 0 ? poll(&entry, 1, Int32(clamping: (left + 999_999) / 1_000_000)) : 0
            if ready < 0, errno == EINTR { continue }
            if ready <= 0 {
                if isWhole { break }
                return frame.isEmpty ? -ETIMEDOUT : -badData
            }
            var chunk = [UInt8](repeating: 0, count: 256)
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return count < 0 ? -errno : -ECONNRESET }
            frame += chunk[..<count]
            if transport.framing == .tcp, frame.count >= 6, frame.count >= 6 + (Int(frame[4]) << 8 | Int(frame[5])) { break }
        }
        let isTCP = transport.framing == .tcp
        let body = isTCP ? frame.dropFirst(6) : frame.dropLast(2)
        guard let from = body.first, Int(from) == unit, body.count >= 3 else { return -badData }
        if isTCP, Array(frame[..<4]) != [0xFF, 0xFF, 0, 0] || body.count != Int(frame[4]) << 8 | Int(frame[5]) {
            return -badData
        }
        pdu = Array(body.dropFirst())
        if pdu[0] == function | 0x80 { return cmodbus_exception_answer(Int32(pdu[1])) }
        return pdu[0] == function ? Int32(clamping: pdu.count) : -badData
    }
}

extension ModbusDeviceIdentification {
    /// From an answer that begins with the function code (§6.21); nil when it is cut short or no identification.
    init?(_ pdu: [UInt8]) {
        guard pdu.count >= 7, pdu[1] == 14 else { return nil }
        var objects: [UInt8: String] = [:]
        var at = 7
        for _ in 0..<pdu[6] {
            guard at + 2 <= pdu.count, at + 2 + Int(pdu[at + 1]) <= pdu.count else { return nil }
            let end = at + 2 + Int(pdu[at + 1])
            objects[pdu[at]] = String(decoding: pdu[(at + 2)..<end], as: UTF8.self)
            at = end
        }
        self.init(vendorName: objects[0] ?? "", productCode: objects[1] ?? "", revision: objects[2] ?? "")
    }
}
