import Configuration
import Core
internal import Glibc

extension SimulatedUnit {
    /// A device with the points of a product. What can be written begins at 0 and keeps what was written; numbers of the
    /// others swing or count, bits change every ten seconds, and a text is its point's identifier.
    public init(points: [ModbusPoint]) {
        self.init()
        for point in points { set(point, .zero) }
        let moving = points.filter { !$0.writable }
        update = { unit, elapsed in
            for point in moving { unit.set(point, elapsed) }
        }
    }

    /// Makes a range of addresses exist: registers hold their own address, bits whether that is odd.
    public mutating func fill(_ area: ModbusArea, _ range: ClosedRange<Int>) {
        for address in range { self[area, address] = area.holdsBits ? UInt16(address & 1) : UInt16(clamping: address) }
    }

    private mutating func set(_ point: ModbusPoint, _ elapsed: Duration) {
        let value = SimulatedUnit.value(of: point, elapsed)
        if point.area.holdsBits {
            self[point.area, point.address] = value == .bool(true) ? 1 : 0
        } else if let bit = point.bit {
            let mask = point.wordOrder.word(1 << UInt16(bit & 15))
            let old = self[point.area, point.address] ?? 0
            self[point.area, point.address] = value == .bool(true) ? old | mask : old & ~mask
        } else {
            // What lies in the registers, so without the way from there to the value.
            var raw = point
            raw.conversion = PointConversion()
            let registers = try? RegisterCodec(raw).encode(value)
            set(point.area, point.address, registers ?? [UInt16](repeating: 0, count: point.quantity))
        }
    }

    /// What the device holds, before scaling.
    private static func value(of point: ModbusPoint, _ elapsed: Duration) -> Value {
        let seconds = Double(elapsed.wholeMilliseconds) / 1000
        switch point.type {
        case .bool: return .bool(!point.writable && (Int64(seconds / 10) + Int64(point.address + (point.bit ?? 0))) % 2 == 1)
        case .string: return .string(String(decoding: point.identifier.utf8.prefix(point.length), as: UTF8.self))
        default: break
        }
        let conversion = point.conversion
        if !conversion.enumeration.isEmpty {
            let turn = point.writable ? 0 : Int64(seconds / 10) % Int64(conversion.enumeration.count)
            return .int(conversion.enumeration[Int(turn)].number)
        }
        let isReal = point.type == .real || point.type == .lreal
        let scaling = Scaling(scale: conversion.scale, offset: conversion.offset)
        let swing = 50 + 10 * sin(2 * .pi * (seconds / 60 + Double(point.address % 97) / 97))
        var number = point.writable ? 0 : isReal || scaling.isActive ? swing : (seconds.rounded(.down)).truncatingRemainder(dividingBy: 10_000)
        number = min(max(number, conversion.minimum ?? -.infinity), conversion.maximum ?? .infinity)
        let raw = scaling.isActive ? scaling.raw(number) : number
        return isReal ? .lreal(raw) : .int(Int64(exactly: raw.rounded()) ?? 0)
    }
}
