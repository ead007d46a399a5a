import Configuration
import Core
import FieldBus
import Testing

@Suite("From a device's number to a value")
struct PointConversionTests {
    private func conversion(_ change: (inout PointConversion) -> Void) -> PointConversion {
        var conversion = PointConversion()
        change(&conversion)
        return conversion
    }

    private let labels = [EnumerationLabel(number: 0, text: "off"), EnumerationLabel(number: 1, text: "on")]

    @Test("without anything to do a value stays as it is", arguments: [Value.bool(true), .int(-3), .real(1.5), .string("a")])
    func identity(value: Value) throws {
        #expect(PointConversion().isIdentity)
        #expect(PointConversion().value(value) == (value, .good))
        #expect(try PointConversion().raw(value) == value)
    }

    @Test("some bits of a number", arguments: [
        (0, 3, Value.uint(0xABCD), UInt64(0xD)), (4, 7, .uint(0xABCD), 0xC), (15, 15, .uint(0xABCD), 1), (0, 63, .int(-1), .max),
        (60, 63, .int(-1), 15), (8, 15, .int(-256), 0xFF),
    ])
    func bits(lowest: Int, highest: Int, raw: Value, expected: UInt64) {
        let conversion = conversion { $0.bits = BitRange(lowest: lowest, highest: highest) }
        #expect(conversion.value(raw) == (.uint(expected), .good))
    }

    @Test("bits are taken before they are scaled")
    func scaledBits() {
        let conversion = conversion {
            $0.bits = BitRange(lowest: 8, highest: 15)
            $0.scale = 0.5
            $0.offset = -40
        }
        #expect(conversion.value(.uint(0x64FF)) == (.lreal(10), .good))
    }

    @Test("a value beyond the limits is bad, or the limit")
    func limits() {
        var conversion = conversion {
            $0.minimum = -40
            $0.maximum = 85.5
        }
        #expect(conversion.value(.lreal(86)) == (nil, .bad(.outOfRange)))
        #expect(conversion.value(.int(-41)) == (nil, .bad(.outOfRange)))
        #expect(conversion.value(.lreal(85.5)) == (.lreal(85.5), .good))
        conversion.clamps = true
        #expect(conversion.value(.int(-41)) == (.int(-40), .uncertain(.outOfRange)))
        #expect(conversion.value(.int(90)) == (.lreal(85.5), .uncertain(.outOfRange)))
        #expect(conversion.value(.real(90)) == (.real(85.5), .uncertain(.outOfRange)))
    }

    @Test("limits hold for the scaled value")
    func scaledLimits() {
        let conversion = conversion {
            $0.scale = 0.1
            $0.maximum = 100
        }
        #expect(conversion.value(.int(1000)) == (.lreal(100), .good))
        #expect(conversion.value(.int(1001)) == (nil, .bad(.outOfRange)))
    }

    @Test("an enumeration has a text for a number, and the digits of those it does not know")
    func enumeration() throws {
        let conversion = conversion { $0.enumeration = labels }
        #expect(conversion.value(.uint(1)) == (.string("on"), .good))
        #expect(conversion.value(.uint(7)) == (.string("7"), .uncertain(.outOfRange)))
        #expect(try conversion.raw(.string("off")) == .int(0))
        #expect(try conversion.raw(.int(1)) == .int(1))
        #expect(throws: EncodeFailure.outOfRange) { try conversion.raw(.string("maybe")) }
    }

    @Test("what is written is scaled back and must lie within the limits")
    func writing() throws {
        let conversion = conversion {
            $0.scale = 0.1
            $0.offset = 10
            $0.minimum = 0
            $0.maximum = 50
        }
        #expect(try conversion.raw(.lreal(12.5)) == .lreal(25))
        #expect(throws: EncodeFailure.outOfRange) { try conversion.raw(.lreal(50.1)) }
        #expect(throws: EncodeFailure.outOfRange) { try conversion.raw(.int(-1)) }
        #expect(throws: EncodeFailure.typeMismatch) { try conversion.raw(.string("1")) }
    }

    @Test("a number that overflows when it is scaled is bad")
    func overflow() {
        #expect(conversion { $0.scale = 1e300 }.value(.lreal(1e300)) == (nil, .bad(.outOfRange)))
    }
}
