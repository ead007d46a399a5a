import Core

/// Cuts what a client sends into requests.
struct RequestReader {
    struct Request {
        /// What stands before the unit identifier; empty on a serial line.
        let header: [UInt8]
        let unitIdentifier: Int
        /// From the function code on.
        let pdu: [UInt8]

        /// The frame of an answer.
        func wrapped(_ answer: [UInt8]) -> [UInt8] {
            let body = [UInt8(clamping: unitIdentifier)] + answer
            if header.isEmpty { return CheckSum.appended(to: body) }
            return Array(header[..<4]) + [UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
        }
    }

    /// Bytes of a serial line that come later than this after the last ones begin a new frame.
    private static let silence = Duration.milliseconds(50)

    let framing: ModbusFraming
    private(set) var isBroken = false
    private var buffer: [UInt8] = []
    private var lastBytes = MonotonicTime.zero

    init(framing: ModbusFraming) { self.framing = framing }

    mutating func append(_ bytes: UnsafeRawBufferPointer, now: MonotonicTime) {
        if framing == .rtu, now - lastBytes > RequestReader.silence { buffer.removeAll(keepingCapacity: true) }
        lastBytes = now
        buffer.append(contentsOf: bytes)
    }

    /// nil while there is no whole request.
    mutating func next() -> Request? {
        framing == .tcp ? nextOfTCP() : nextOfRTU()
    }

    private mutating func nextOfTCP() -> Request? {
        guard buffer.count >= 6 else { return nil }
        let length = Int(buffer[4]) << 8 | Int(buffer[5])
        guard (2...254).contains(length), buffer[2] == 0, buffer[3] == 0 else {
            isBroken = true
            return nil
        }
        guard buffer.count >= 6 + length else { return nil }
        let request = Request(
            header: Array(buffer[..<6]), unitIdentifier: Int(buffer[6]), pdu: Array(buffer[7..<(6 + length)]))
        buffer.removeFirst(6 + length)
        return request
    }

    private mutating func nextOfRTU() -> Request? {
        guard let length = lengthOfRTU, buffer.count >= length else { return nil }
        defer { buffer.removeFirst(length) }
        guard CheckSum.isRight(buffer[..<length]) else {
            // Where the next frame begins only a silence tells.
            buffer = [UInt8](repeating: 0, count: length)
            return nil
        }
        return Request(header: [], unitIdentifier: Int(buffer[0]), pdu: Array(buffer[1..<(length - 2)]))
    }

    /// How long the request is, told by its function; nil while that is open.
    private var lengthOfRTU: Int? {
        guard buffer.count >= 2 else { return nil }
        switch buffer[1] {
        case 15, 16: return buffer.count > 6 ? 9 + Int(buffer[6]) : nil
        case 22: return 10
        case 23: return buffer.count > 10 ? 13 + Int(buffer[10]) : nil
        case 43: return 7
        case 7, 11, 12, 17: return 4
        default: return 8
        }
    }
}
