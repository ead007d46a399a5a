import CBoard
package import Core
import Glibc
import Synchronization

/// The devices of a Modbus line in this process, with values that can be set.
package final class ModbusBusSimulator: BusSimulator {
    private struct State {
        /// What is set before the next answer, by unit.
        var pending: [Int: [(ModbusPoint, Value)]] = [:]
        /// What the points held before the last request.
        var current: [DeviceIdentifier: [String: Value]] = [:]
        var silent: Set<DeviceIdentifier> = []
    }

    private let bus: ModbusBus
    private let simulator: ModbusSimulator
    private let state: Shared
    /// The driver's end of a serial line, which keeps the line from hanging up; -1 over TCP.
    private let farEnd: Int32

    /// What the simulator's thread shares with this.
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    init(_ description: ModbusBus) throws(FieldBusError) {
        var bus = description
        let shared = Shared()
        state = shared
        var units: [Int: SimulatedUnit] = [:]
        for device in bus.devices { units[device.unitIdentifier] = ModbusBusSimulator.unit(device, shared) }
        switch bus.transport {
        case .tcp:
            simulator = try ModbusSimulator(.tcp(address: "127.0.0.1", port: 0, framing: .tcp), units: units)
            bus.transport = .tcp(host: "127.0.0.1", port: simulator.port)
            farEnd = -1
        case .rtuOverTCP:
            simulator = try ModbusSimulator(.tcp(address: "127.0.0.1", port: 0, framing: .rtu), units: units)
            bus.transport = .rtuOverTCP(host: "127.0.0.1", port: simulator.port)
            farEnd = -1
        case .rtu(var line):
            let (near, far, path) = try ModbusBusSimulator.serialLine()
            simulator = try ModbusSimulator(.descriptor(near), units: units)
            farEnd = far
            line.serialPort = path
            bus.transport = .rtu(line)
        }
        self.bus = bus
    }

    deinit { if farEnd >= 0 { close(farEnd) } }

    package func plan() -> any BusPlan { bus }

    package func set(_ value: Value, point: String, of device: DeviceIdentifier) {
        guard let found = bus.devices.first(where: { $0.identifier == device }),
            let known = found.points.first(where: { $0.identifier == point })
        else { return }
        state.state.withLock {
            $0.pending[found.unitIdentifier, default: []].append((known, value))
            $0.current[device, default: [:]][point] = value
        }
    }

    package func value(point: String, of device: DeviceIdentifier) -> Value? {
        state.state.withLock { $0.current[device]?[point] }
    }

    package func setSilent(_ isSilent: Bool, device: DeviceIdentifier) {
        state.state.withLock {
            if isSilent { $0.silent.insert(device) } else { $0.silent.remove(device) }
        }
    }

    package func stop() { simulator.stop() }

    private static func unit(_ device: ModbusDevice, _ shared: Shared) -> SimulatedUnit {
        var unit = SimulatedUnit(points: device.points)
        unit.update = { unit, _ in
            shared.state.withLock { state in
                for (point, value) in state.pending[device.unitIdentifier] ?? [] { unit.set(value, at: point) }
                state.pending[device.unitIdentifier] = nil
                for point in device.points { state.current[device.identifier, default: [:]][point.identifier] = unit.value(at: point) }
                unit.isSilent = state.silent.contains(device.identifier)
            }
        }
        return unit
    }

    /// A pseudo-terminal: the simulator's end, the driver's end and its path.
    private static func serialLine() throws(FieldBusError) -> (near: Int32, far: Int32, path: String) {
        var far: Int32 = -1
        var name = [CChar](repeating: 0, count: 128)
        let near = martlet_serial_pair(&far, &name, name.count)
        guard near >= 0 else { throw .unavailable(what: "pseudo-terminal", detail: String(cString: strerror(-near))) }
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        _ = fcntl(near, F_SETFL, O_NONBLOCK)
        return (near, far, path)
    }
}

extension SimulatedUnit {
    /// Has a point hold a value, as it is published.
    fileprivate mutating func set(_ value: Value, at point: ModbusPoint) {
        guard let registers = try? point.registers(of: value) else { return }
        if point.area != .coil, !point.area.holdsBits, let bit = point.bit {
            let mask = point.wordOrder.word(1 << UInt16(bit & 15))
            let old = self[point.area, point.address] ?? 0
            self[point.area, point.address] = value == .bool(true) ? old | mask : old & ~mask
        } else if point.area.holdsBits {
            self[point.area, point.address] = value == .bool(true) ? 1 : 0
        } else {
            set(point.area, point.address, registers)
        }
    }

    /// What a point holds, as it is published.
    fileprivate func value(at point: ModbusPoint) -> Value? {
        let registers = (0..<point.quantity).compactMap { self[point.area, point.address + $0] }
        guard registers.count == point.quantity else { return nil }
        if point.area.holdsBits { return .bool(registers[0] != 0) }
        guard let raw = registers.withUnsafeBufferPointer({ RegisterCodec(point).decode($0).value }) else { return nil }
        return point.conversion.onlyScales ? raw : point.conversion.value(raw).value
    }
}
