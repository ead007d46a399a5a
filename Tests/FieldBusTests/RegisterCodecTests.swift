import Core
import TestSupport
import Testing

@testable import FieldBus

struct RegisterCodecTests {
    /// One value in all four word orders: abcd, cdab, badc, dcba.
    struct Row: Sendable, CustomTestStringConvertible {
        var type: PointType
        var value: Value
        var registers: [[UInt16]]
        var testDescription: String { "\(type.rawValue) \(value)" }
    }

    static let table: [Row] = [
        Row(type: .int, value: .int(-2), registers: [[0xFFFE], [0xFFFE], [0xFEFF], [0xFEFF]]),
        Row(type: .uint, value: .uint(0x1234), registers: [[0x1234], [0x1234], [0x3412], [0x3412]]),
        Row(
            type: .dint, value: .int(-0x0123_4567),
            registers: [[0xFEDC, 0xBA99], [0xBA99, 0xFEDC], [0xDCFE, 0x99BA], [0x99BA, 0xDCFE]]),
        Row(
            type: .udint, value: .uint(0xAABB_CCDD),
            registers: [[0xAABB, 0xCCDD], [0xCCDD, 0xAABB], [0xBBAA, 0xDDCC], [0xDDCC, 0xBBAA]]),
        Row(
            type: .lint, value: .int(Int64.min + 1),
            registers: [[0x8000, 0, 0, 1], [1, 0, 0, 0x8000], [0x0080, 0, 0, 0x0100], [0x0100, 0, 0, 0x0080]]),
        Row(
            type: .ulint, value: .uint(0x0123_4567_89AB_CDEF),
            registers: [
                [0x0123, 0x4567, 0x89AB, 0xCDEF], [0xCDEF, 0x89AB, 0x4567, 0x0123],
                [0x2301, 0x6745, 0xAB89, 0xEFCD], [0xEFCD, 0xAB89, 0x6745, 0x2301],
            ]),
        Row(
            type: .real, value: .real(12.5),
            registers: [[0x4148, 0], [0, 0x4148], [0x4841, 0], [0, 0x4841]]),
        Row(
            type: .lreal, value: .lreal(-1.0 / 3),
            registers: [
                [0xBFD5, 0x5555, 0x5555, 0x5555], [0x5555, 0x5555, 0x5555, 0xBFD5],
                [0xD5BF, 0x5555, 0x5555, 0x5555], [0x5555, 0x5555, 0x5555, 0xD5BF],
            ]),
        Row(
            type: .string, value: .string("MÄRZ"),
            registers: [
                [0x4DC3, 0x8452, 0x5A00], [0x4DC3, 0x8452, 0x5A00], [0xC34D, 0x5284, 0x005A], [0xC34D, 0x5284, 0x005A],
            ]),
        Row(type: .bool, value: .bool(true), registers: [[1], [1], [0x0100], [0x0100]]),
    ]

    func codec(_ type: PointType, _ order: WordOrder = .abcd, _ change: (inout ModbusPoint) -> Void = { _ in }) -> RegisterCodec {
        var point = ModbusPoint(identifier: "p", type: type, area: .holdingRegister, address: 0)
        point.wordOrder = order
        if type == .string { point.length = 6 }
        change(&point)
        return RegisterCodec(point)
    }

    func decode(_ codec: RegisterCodec, _ registers: [UInt16]) -> (value: Value?, quality: Quality) {
        registers.withUnsafeBufferPointer { codec.decode($0) }
    }

    @Test("every type is decoded and encoded in every word order", arguments: table)
    func wordOrders(row: Row) throws {
        for (order, registers) in zip(WordOrder.allCases, row.registers) {
            let codec = codec(row.type, order)
            let (value, quality) = decode(codec, registers)
            #expect(value == row.value && quality == .good, "\(order)")
            #expect(try codec.encode(row.value) == registers, "\(order)")
        }
    }

    @Test("the four word orders are different for 32 bits")
    func ordersDiffer() { #expect(Set(RegisterCodecTests.table[3].registers).count == 4) }

    @Test("a bit of a register is taken from the word after its bytes were put in order")
    func bits() {
        for bit in 0..<16 {
            let plain = codec(.bool) { $0.bit = bit }
            let swapped = codec(.bool, .badc) { $0.bit = bit }
            #expect(decode(plain, [1 << UInt16(bit)]).value == .bool(true))
            #expect(decode(plain, [~(1 << UInt16(bit))]).value == .bool(false))
            #expect(decode(swapped, [(UInt16(1) << UInt16(bit)).byteSwapped]).value == .bool(true))
        }
    }

    @Test("scale and offset make an LREAL: raw × scale + offset")
    func scaled() {
        let codec = codec(.int) {
            $0.conversion.scale = 0.5
            $0.conversion.offset = -10
        }
        #expect(decode(codec, [0xFFF9]).value == .lreal(-13.5))
    }

    @Test("a decimal scale gives the number that a person would write", arguments: [(0.1, 10.0), (0.01, 100.0), (0.001, 1000.0)])
    func decimalScale(scale: Double, divisor: Double) throws {
        let codec = codec(.uint) { $0.conversion.scale = scale }
        for raw in UInt16(0)...9999 {
            let expected = Double(raw) / divisor
            #expect(decode(codec, [raw]).value == .lreal(expected))
            #expect(try codec.encode(.lreal(expected)) == [raw])
        }
        #expect(decode(self.codec(.uint) { $0.conversion.scale = 0.1 }, [2311]).value == .lreal(231.1))
    }

    @Test("a scaled value is scaled back, rounded to the nearest raw value and checked against the type's range")
    func scaledBack() throws {
        let codec = codec(.int) { $0.conversion.scale = 0.1 }
        #expect(try codec.encode(.lreal(21.54)) == [215])
        #expect(try codec.encode(.lreal(21.56)) == [216])
        #expect(try codec.encode(.int(-3)) == [0xFFE2])
        #expect(try codec.encode(.lreal(3276.7)) == [32767])
        #expect(throws: EncodeFailure.outOfRange) { try codec.encode(.lreal(3276.8)) }
        #expect(throws: EncodeFailure.outOfRange) { try codec.encode(.lreal(.infinity)) }
        #expect(throws: EncodeFailure.outOfRange) { try codec.encode(.lreal(.nan)) }
    }

    @Test("64-bit integers without scale stay exact")
    func exact() throws {
        for value in [UInt64.max, UInt64.max - 1, UInt64(1) << 53 + 1] {
            let codec = codec(.ulint)
            #expect(decode(codec, try codec.encode(.uint(value))).value == .uint(value))
        }
        let codec = codec(.lint)
        #expect(decode(codec, try codec.encode(.int(.min))).value == .int(.min))
        #expect(decode(codec, try codec.encode(.int(.max))).value == .int(.max))
    }

    @Test("an integer beyond the point's type is out of range", arguments: [
        (PointType.int, Value.int(32768)), (.int, .int(-32769)), (.uint, .int(-1)), (.uint, .uint(65536)),
        (.dint, .int(1 << 31)), (.udint, .uint(1 << 32)), (.lint, .uint(1 << 63)), (.ulint, .int(-1)),
        (.lint, .lreal(1e19)), (.real, .lreal(1e39)), (.bool, .int(2)),
    ])
    func outOfRange(type: PointType, value: Value) {
        #expect(throws: EncodeFailure.outOfRange) { try codec(type).encode(value) }
    }

    @Test("a value of the wrong kind is a type mismatch", arguments: [
        (PointType.int, Value.lreal(1.5)), (.int, .string("1")), (.int, .bool(true)), (.bool, .string("true")),
        (.bool, .lreal(1)), (.string, .int(1)), (.real, .string("1.5")),
    ])
    func typeMismatch(type: PointType, value: Value) {
        #expect(throws: EncodeFailure.typeMismatch) { try codec(type).encode(value) }
    }

    @Test("a whole number written as an LREAL fits an integer point")
    func wholeReal() throws { #expect(try codec(.dint).encode(.lreal(70_000)) == [1, 4464]) }

    @Test("REAL and LREAL that are no numbers are bad, out of range", arguments: [
        [0x7FC0, 0] as [UInt16], [0x7F80, 0], [0xFF80, 0],
    ])
    func notANumber(registers: [UInt16]) {
        for type in [PointType.real, .lreal] {
            let wide = type == .real ? registers : [registers[0] == 0x7FC0 ? 0x7FF8 : 0x7FF0, 0, 0, 0]
            let (value, quality) = decode(codec(type), wide)
            #expect(value == nil && quality == .bad(.outOfRange))
        }
    }

    @Test("scaling that overflows is bad, out of range")
    func overflow() {
        let codec = codec(.lreal) { $0.conversion.scale = 1e300 }
        #expect(decode(codec, WordOrder.abcd.registers((1e300).bitPattern, count: 4)).quality == .bad(.outOfRange))
    }

    @Test("text ends at the first NUL or at the point's length")
    func textEnds() {
        #expect(decode(codec(.string), [0x4142, 0x0043, 0x4445]).value == .string("AB"))
        #expect(decode(codec(.string), [0x4142, 0x4344, 0x4546]).value == .string("ABCDEF"))
        #expect(decode(codec(.string) { $0.length = 5 }, [0x4142, 0x4344, 0x4546]).value == .string("ABCDE"))
        #expect(decode(codec(.string), [0, 0x4142, 0x4344]).value == .string(""))
    }

    @Test("text that is not UTF-8 is bad, out of range")
    func invalidText() {
        let (value, quality) = decode(codec(.string), [0x41FF, 0, 0])
        #expect(value == nil && quality == .bad(.outOfRange))
    }

    @Test("text longer than the point or with a NUL inside is not written")
    func textTooLong() {
        #expect(throws: EncodeFailure.outOfRange) { try codec(.string).encode(.string("ABCDEFG")) }
        #expect(throws: EncodeFailure.outOfRange) { try codec(.string).encode(.string("ÄÖÜß")) }
        #expect(throws: EncodeFailure.outOfRange) { try codec(.string).encode(.string("A\0B")) }
    }

    @Test("too few or too many registers are a bad response")
    func wrongCount() {
        for type in PointType.allCases {
            let codec = codec(type)
            for count in [0, 7] {
                #expect(decode(codec, Array(repeating: 0x4141, count: count)).quality == .bad(.badResponse))
            }
        }
    }

    @Test("whatever lies in the registers, encoding the decoded value gives the registers back")
    func roundTrip() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<20_000 {
            let type = PointType.allCases.randomElement(using: &random) ?? .int
            guard type != .string, type != .bool else { continue }
            let codec = codec(type, WordOrder.allCases.randomElement(using: &random) ?? .abcd)
            let registers = (0..<codec.quantity).map { _ in UInt16.random(in: 0...UInt16.max, using: &random) }
            guard let value = decode(codec, registers).value else { continue }
            #expect(try codec.encode(value) == registers, "seed \(seed)")
        }
    }
}
