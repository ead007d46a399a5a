/// What a Modbus frame says, in words. Takes any bytes.
struct FrameText {
    let text: String

    init(_ bytes: [UInt8], framing: ModbusFraming, isRequest: Bool) {
        switch framing {
        case .tcp: text = FrameText.ofTCP(bytes, isRequest: isRequest)
        case .rtu: text = FrameText.ofRTU(bytes, isRequest: isRequest)
        }
    }

    private static func ofTCP(_ bytes: [UInt8], isRequest: Bool) -> String {
        guard bytes.count >= 8 else { return "\(bytes.count) bytes, shorter than any frame" }
        let length = Int(bytes[4]) << 8 | Int(bytes[5])
        var notes = ""
        if bytes[2] != 0 || bytes[3] != 0 { notes += ", protocol \(Int(bytes[2]) << 8 | Int(bytes[3])) instead of 0" }
        if length != bytes.count - 6 { notes += ", says that \(length) bytes follow, and \(bytes.count - 6) do" }
        let end = min(bytes.count, max(8, 6 + length))
        return "transaction \(Int(bytes[0]) << 8 | Int(bytes[1])), unit \(bytes[6]): "
            + words(Array(bytes[7..<end]), isRequest: isRequest) + notes
    }

    private static func ofRTU(_ bytes: [UInt8], isRequest: Bool) -> String {
        guard bytes.count >= 4 else { return "\(bytes.count) bytes, shorter than any frame" }
        guard CheckSum.isRight(bytes[...]) else {
            let sum = CheckSum.of(bytes.dropLast(2))
            return "wrong check sum: 0x\(hex(Int(bytes[bytes.count - 1]) << 8 | Int(bytes[bytes.count - 2]), 4)) instead of "
                + "0x\(hex(Int(sum), 4))"
        }
        let unit = bytes[0] == 0 && isRequest ? "all units" : "unit \(bytes[0])"
        return "\(unit): " + words(Array(bytes[1..<(bytes.count - 2)]), isRequest: isRequest)
    }

    /// From the function code on.
    private static func words(_ pdu: [UInt8], isRequest: Bool) -> String {
        let function = pdu[0]
        func word(_ at: Int) -> Int? { at + 1 < pdu.count ? Int(pdu[at]) << 8 | Int(pdu[at + 1]) : nil }
        if function & 0x80 != 0 {
            guard pdu.count >= 2 else { return "exception, cut short" }
            return "exception \(pdu[1]): \(RequestFailure.exceptionName(Int(pdu[1])))"
        }
        let short = "function \(function), cut short"
        switch function {
        case 1...4:
            let area = ["coil", "discrete-input", "holding-register", "input-register"][Int(function) - 1]
            if isRequest {
                guard let address = word(1), let quantity = word(3) else { return short }
                return "read \(area) \(address), quantity \(quantity)"
            }
            guard pdu.count >= 2 else { return short }
            return "\(area): " + values(Array(pdu[2...].prefix(Int(pdu[1]))), areBits: function <= 2)
        case 5, 6:
            guard let address = word(1), let value = word(3) else { return short }
            return function == 5
                ? "write coil \(address): \(value == 0 ? "off" : "on")" : "write holding-register \(address): \(value)"
        case 15, 16:
            guard let address = word(1), let quantity = word(3) else { return short }
            let what = "write \(function == 15 ? "coil" : "holding-register") \(address), quantity \(quantity)"
            return isRequest && pdu.count > 6 ? what + ": " + values(Array(pdu[6...]), areBits: function == 15) : what
        case 22:
            guard let address = word(1), let and = word(3), let or = word(5) else { return short }
            return "mask write holding-register \(address): and 0x\(hex(and, 4)), or 0x\(hex(or, 4))"
        case 23:
            if !isRequest { return pdu.count >= 2 ? "holding-register: " + values(Array(pdu[2...]), areBits: false) : short }
            guard let read = word(1), let quantity = word(3), let write = word(5), let count = word(7) else { return short }
            return "write holding-register \(write), quantity \(count); read \(read), quantity \(quantity)"
        case 43: return isRequest ? "read device identification" : "device identification"
        default: return "function \(function)"
        }
    }

    private static func values(_ bytes: [UInt8], areBits: Bool) -> String {
        if areBits {
            return bytes.map { byte in (0..<8).map { byte >> UInt8($0) & 1 == 1 ? "1" : "0" }.joined() }.joined(separator: " ")
        }
        return stride(from: 0, to: bytes.count - 1, by: 2).map { "\(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]))" }
            .joined(separator: " ")
    }

    private static func hex(_ value: Int, _ digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
