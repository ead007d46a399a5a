import Core
import Glibc

/// The registers of the simulated device: a boiler with an energy meter. Everything that moves is a function of the time
/// since the start, so that two runs show the same.
///
/// | area | address | point | type | |
/// |---|---|---|---|---|
/// | holding-register | 0 | `temperature` | REAL | °C, 47…73, swings in two minutes |
/// | holding-register | 2 | `energy` | UDINT | Wh, counts up |
/// | holding-register | 4, bit 0 | `running` | BOOL | |
/// | holding-register | 4, bit 1 | `heating` | BOOL | while the temperature rises |
/// | holding-register | 4, bit 2 | `alarm` | BOOL | while the temperature is above 70 °C |
/// | holding-register | 5 | `power` | INT | kW, scale 0.1 |
/// | holding-register | 6 | `uptime` | ULINT | ms |
/// | holding-register | 10 | `serial-number` | STRING | 16 bytes |
/// | holding-register | 20 | `setpoint` | INT | °C, scale 0.1, writable |
/// | holding-register | 21, bit 3 | `economy` | BOOL | writable |
/// | input-register | 0 | `voltage` | UINT | V, scale 0.1 |
/// | input-register | 1 | `frequency` | UINT | Hz, scale 0.01 |
/// | discrete-input | 0 | `door` | BOOL | open a third of each half minute |
/// | coil | 0 | `pump` | BOOL | writable, on at the start |
///
/// Holding registers up to 9999 exist and hold 0; what is beyond, the device refuses with exception 2.
public struct SimulatedMeter: Sendable {
    /// What the device holds of a moment; the writable registers are not among them.
    public struct Moment: Sendable, Hashable {
        public var temperature: Float
        public var energy: UInt32
        public var statusWord: UInt16
        public var power: Int16
        public var uptime: UInt64
        public var voltage: UInt16
        public var frequency: UInt16
        public var doorIsOpen: Bool
    }

    public static let serialNumber = "MARTLET-000042"
    static let holdingRegisters = 10_000
    static let initialSetpoint: UInt16 = 600

    /// The state `elapsed` after the start.
    public static func moment(_ elapsed: Duration) -> Moment {
        let milliseconds = max(0, elapsed.wholeMilliseconds)
        let seconds = Double(milliseconds) / 1000
        let swing = sin(2 * .pi * seconds / 120)
        let temperature = 60 + 12 * swing + sin(2 * .pi * seconds / 7)
        let isHeating = cos(2 * .pi * seconds / 120) > 0
        let power = isHeating ? 80 + 20 * swing : 5
        // 3.6 kW drawn on average: 1 Wh per second.
        let energy = 1_200_000 + milliseconds / 1000
        let status: UInt16 = 1 | (isHeating ? 2 : 0) | (temperature > 70 ? 4 : 0)
        return Moment(
            temperature: Float(temperature), energy: UInt32(truncatingIfNeeded: energy), statusWord: status,
            power: Int16(power), uptime: UInt64(milliseconds), voltage: UInt16(2300 + 15 * sin(2 * .pi * seconds / 31)),
            frequency: UInt16(5000 + 3 * sin(2 * .pi * seconds / 13)), doorIsOpen: milliseconds / 10_000 % 3 == 2)
    }

    /// The device's points as a driver reads them.
    public static func points(interval: Duration) -> [ModbusPoint] {
        func point(
            _ identifier: String, _ type: PointType, _ area: ModbusArea, _ address: Int,
            _ change: (inout ModbusPoint) -> Void = { _ in }
        ) -> ModbusPoint {
            var point = ModbusPoint(identifier: identifier, type: type, area: area, address: address)
            point.interval = interval
            change(&point)
            return point
        }
        return [
            point("temperature", .real, .holdingRegister, 0),
            point("energy", .udint, .holdingRegister, 2),
            point("running", .bool, .holdingRegister, 4) { $0.bit = 0 },
            point("heating", .bool, .holdingRegister, 4) { $0.bit = 1 },
            point("alarm", .bool, .holdingRegister, 4) { $0.bit = 2 },
            point("power", .int, .holdingRegister, 5) { $0.conversion.scale = 0.1 },
            point("uptime", .ulint, .holdingRegister, 6),
            point("serial-number", .string, .holdingRegister, 10) { $0.length = 16 },
            point("setpoint", .int, .holdingRegister, 20) {
                $0.conversion.scale = 0.1
                $0.writable = true
            },
            point("economy", .bool, .holdingRegister, 21) {
                $0.bit = 3
                $0.writable = true
            },
            point("voltage", .uint, .inputRegister, 0) { $0.conversion.scale = 0.1 },
            point("frequency", .uint, .inputRegister, 1) { $0.conversion.scale = 0.01 },
            point("door", .bool, .discreteInput, 0),
            point("pump", .bool, .coil, 0) { $0.writable = true },
        ]
    }

    /// The device itself.
    public static func unit() -> SimulatedUnit {
        var unit = SimulatedUnit()
        for address in 0..<holdingRegisters { unit[.holdingRegister, address] = 0 }
        for address in 0..<16 {
            unit[.coil, address] = address == 0 ? 1 : 0
            unit[.discreteInput, address] = 0
            unit[.inputRegister, address] = 0
        }
        unit[.holdingRegister, 20] = initialSetpoint
        var text = Array(serialNumber.utf8.prefix(16))
        text.append(contentsOf: repeatElement(0, count: 16 - text.count))
        unit.set(.holdingRegister, 10, (0..<8).map { UInt16(text[2 * $0]) << 8 | UInt16(text[2 * $0 + 1]) })
        unit.update = { unit, elapsed in
            let moment = moment(elapsed)
            unit.set(.holdingRegister, 0, WordOrder.abcd.registers(UInt64(moment.temperature.bitPattern), count: 2))
            unit.set(.holdingRegister, 2, WordOrder.abcd.registers(UInt64(moment.energy), count: 2))
            unit.set(.holdingRegister, 4, [moment.statusWord, UInt16(bitPattern: moment.power)])
            unit.set(.holdingRegister, 6, WordOrder.abcd.registers(moment.uptime, count: 4))
            unit.set(.inputRegister, 0, [moment.voltage, moment.frequency])
            unit[.discreteInput, 0] = moment.doorIsOpen ? 1 : 0
        }
        return unit
    }
}
