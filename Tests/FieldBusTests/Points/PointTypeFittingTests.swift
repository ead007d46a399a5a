import Core
import Testing

@testable import FieldBus

@Suite("What a device is given of a value")
struct PointTypeFittingTests {
    @Test("a number becomes one of the type's kind, exactly", arguments: [
        (PointType.int, Value.lreal(7), Value.int(7)), (.uint, .int(7), .uint(7)), (.lint, .uint(7), .int(7)),
        (.ulint, .uint(.max), .uint(.max)), (.lint, .int(.min), .int(.min)), (.lreal, .int(7), .lreal(7)), (.bool, .uint(1), .bool(true)),
    ])
    func kinds(type: PointType, raw: Value, expected: Value) throws { #expect(try type.fitted(raw, rounds: false) == expected) }

    @Test("a fraction is rounded where the number was scaled back, and a mismatch where not")
    func fractions() throws {
        #expect(try PointType.int.fitted(.lreal(215.4), rounds: true) == .int(215))
        #expect(throws: EncodeFailure.typeMismatch) { try PointType.int.fitted(.lreal(215.4), rounds: false) }
        #expect(try PointType.real.fitted(.lreal(215.4), rounds: false) == .lreal(215.4))
    }

    @Test("what the type does not reach is out of range", arguments: [
        (PointType.int, Value.int(32_768)), (.uint, .int(-1)), (.udint, .lreal(5e9)), (.real, .lreal(1e39)), (.lreal, .lreal(.infinity)),
    ])
    func ranges(type: PointType, raw: Value) {
        #expect(throws: EncodeFailure.outOfRange) { try type.fitted(raw, rounds: true) }
    }
}
