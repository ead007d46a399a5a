import Core
import TestSupport
import Testing

@testable import FieldBus

struct FrameTextTests {
    func rtu(_ bytes: [UInt8], isRequest: Bool = false) -> String {
        FrameText(CheckSum.appended(to: bytes), framing: .rtu, isRequest: isRequest).text
    }

    @Test("the check sum is that of the standard's example")
    func checkSum() {
        // Modbus over Serial Line 1.02, appendix B.
        #expect(CheckSum.appended(to: [2, 7]) == [2, 7, 0x41, 0x12])
    }

    @Test("frames are told in the words of the field")
    func words() {
        #expect(rtu([1, 3, 0, 5, 0, 2], isRequest: true) == "unit 1: read holding-register 5, quantity 2")
        #expect(rtu([1, 3, 4, 0, 7, 1, 0]) == "unit 1: holding-register: 7 256")
        #expect(rtu([1, 1, 1, 5]) == "unit 1: coil: 10100000")
        #expect(rtu([1, 0x83, 2]) == "unit 1: exception 2: illegal data address")
        #expect(rtu([0, 6, 0, 1, 0, 9], isRequest: true) == "all units: write holding-register 1: 9")
        #expect(rtu([9, 5, 0, 1, 0xFF, 0], isRequest: true) == "unit 9: write coil 1: on")
        #expect(rtu([9, 22, 0, 4, 0, 0xF2, 0, 0x25], isRequest: true) == "unit 9: mask write holding-register 4: and 0x00F2, or 0x0025")
        #expect(rtu([9, 16, 0, 1, 0, 1, 2, 0, 10], isRequest: true) == "unit 9: write holding-register 1, quantity 1: 10")
        let tcp: [UInt8] = [0, 9, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1]
        #expect(FrameText(tcp, framing: .tcp, isRequest: true).text == "transaction 9, unit 1: read input-register 0, quantity 1")
    }

    @Test("what is wrong with a frame is said")
    func damage() {
        var frame = CheckSum.appended(to: [1, 3, 2, 0, 7])
        frame[4] ^= 1
        #expect(FrameText(frame, framing: .rtu, isRequest: false).text.hasPrefix("wrong check sum: 0x"))
        let long: [UInt8] = [0, 9, 0, 0, 0, 5, 1, 3, 2, 0, 7, 9]
        #expect(FrameText(long, framing: .tcp, isRequest: false).text.hasSuffix(", says that 5 bytes follow, and 6 do"))
    }

    @Test("any bytes have a text", arguments: [ModbusFraming.tcp, .rtu])
    func anything(framing: ModbusFraming) {
        var random = SeededRandom(seed: 17)
        for _ in 0..<3000 {
            var bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if bytes.count > 7 { bytes[7] = UInt8.random(in: 0...44, using: &random) }
            if framing == .rtu, bytes.count > 1 {
                bytes[1] = UInt8.random(in: 0...44, using: &random)
                bytes = CheckSum.appended(to: bytes)
            }
            #expect(!FrameText(bytes, framing: framing, isRequest: .random(using: &random)).text.isEmpty, "\(bytes)")
            // And a server that gets them neither traps nor waits for ever.
            var reader = RequestReader(framing: framing)
            bytes.withUnsafeBytes { reader.append($0, now: .zero) }
            var unit = SimulatedUnit()
            unit.fill(.holdingRegister, 0...10)
            while let request = reader.next() { _ = request.wrapped(unit.answer(request.pdu)) }
        }
    }
}
