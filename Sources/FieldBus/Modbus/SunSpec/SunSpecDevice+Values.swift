public import Configuration
public import Core

extension SunSpecDevice {
    /// A point that the device has, with the value that was read.
    public struct Reading: Sendable {
        /// Unlike that of every other one of the device: `inverter_W`, `mppt_DCA_2`, `meter_2_W`.
        public var identifier: String
        public var type: PointType
        public var address: Int
        /// Bytes of a STRING.
        public var length: Int?
        /// 10 to the power of the scale factor that was read; nil for 1.
        public var scale: Double?
        public var unit: String?
        public var enumeration: [EnumerationLabel]
        public var isNameplate: Bool
        public var value: Value
    }

    /// The points of each model, in the order of ``models``. What the device does not implement is left out, and so is
    /// what has a scale factor that it does not implement.
    public var readings: [[Reading]] {
        var seen: [String: Int] = [:]
        return models.map { found in
            guard let model = SunSpecModel.model(found.identifier), let registers = found.registers else { return [] }
            let number = seen[model.name, default: 0] + 1
            seen[model.name] = number
            let prefix = number == 1 ? model.name : "\(model.name)_\(number)"
            var factors: [String: UInt16] = [:]
            var readings: [Reading] = []
            var offset = 0
            func add(_ points: [SunSpecPoint], _ suffix: String) {
                var at = offset
                for point in points {
                    let end = at + point.type.registers
                    guard end <= registers.count else { break }
                    let content = registers[at..<end]
                    if point.type == .scaleFactor { factors[point.name] = content.first }
                    at = end
                }
                for point in points {
                    let end = offset + point.type.registers
                    guard end <= registers.count else { return }
                    let reading = SunSpecDevice.reading(
                        point, "\(prefix)_\(point.name)\(suffix)", registers[offset..<end], found.address + offset, factors)
                    if var reading {
                        reading.isNameplate = model.isNameplate
                        readings.append(reading)
                    }
                    offset = end
                }
            }
            add(model.points, "")
            var block = 1
            while !model.block.isEmpty, offset + model.blockLength <= registers.count {
                add(model.block, "_\(block)")
                block += 1
            }
            return readings
        }
    }

    private static func reading(
        _ point: SunSpecPoint, _ identifier: String, _ registers: ArraySlice<UInt16>, _ address: Int, _ factors: [String: UInt16]
    ) -> Reading? {
        guard let type = point.type.pointType, point.type.isImplemented(registers) else { return nil }
        var scale: Double?
        if let name = point.scaleFactor {
            guard let exponent = factors[name].map({ Int(Int16(bitPattern: $0)) }), -10...10 ~= exponent else { return nil }
            scale = power(of10: exponent)
        }
        var place = ModbusPoint(identifier: identifier, type: type, area: .holdingRegister, address: address)
        var length: Int?
        if case .string(let registers) = point.type { length = 2 * registers }
        place.length = length ?? 0
        let enumeration = point.enumeration
        place.conversion.scale = scale
        place.conversion.enumeration = enumeration
        let content = Array(registers)
        let raw = content.withUnsafeBufferPointer { RegisterCodec(place).decode($0) }
        guard var value = raw.value else { return nil }
        if !enumeration.isEmpty {
            guard let label = place.conversion.value(value).value else { return nil }
            value = label
        }
        return Reading(
            identifier: identifier, type: type, address: address, length: length, scale: scale, unit: point.unit,
            enumeration: enumeration, isNameplate: false, value: value)
    }

    /// nil for 1. Exact, or the Double nearest to it.
    private static func power(of10 exponent: Int) -> Double? {
        let power = (0..<abs(exponent)).reduce(1.0) { power, _ in power * 10 }
        return exponent == 0 ? nil : exponent < 0 ? 1 / power : power
    }

    /// A profile with the points that the device has, at the addresses and with the scale factors that were read. No
    /// point of it is writable.
    ///
    /// - Parameter protocolName: that of the line.
    public func profile(protocol protocolName: String) -> DeviceProfile {
        let readings = readings.flatMap { $0 }
        func text(_ identifier: String) -> String? {
            guard case .string(let text)? = readings.first(where: { $0.identifier == identifier })?.value else { return nil }
            let plain = String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 32 && !(127..<160).contains($0.value) }))
            return plain.isEmpty ? nil : plain
        }
        var profile = DeviceProfile()
        profile.manufacturer = text("common_Mn")
        profile.model = text("common_Md")
        let words = [profile.manufacturer, profile.model].compactMap { $0 }
        profile.name = words.isEmpty ? "SunSpec device" : words.joined(separator: " ")
        profile.protocol = protocolName
        let known = models.filter { $0.registers != nil }.map { "\($0.identifier)" }
        profile.document = "SunSpec models \(known.prefix(20).joined(separator: ", ")), read from the device"
        profile.groups = [("values", Duration.seconds(5)), ("nameplate", .seconds(3600))].map { name, interval in
            .example {
                $0.name = name
                $0.interval = interval
            }
        }
        profile.points = readings.map { reading in
            .example { point in
                point.identifier = reading.identifier
                point.type = reading.type
                point.unit = reading.unit
                point.group = reading.isNameplate ? "nameplate" : "values"
                point.scale = reading.scale
                point.enumeration = reading.enumeration
                var keys = ModbusPointTable()
                keys.area = .holdingRegister
                keys.address = reading.address
                keys.length = reading.length
                point.driver = DriverTable(keys)
            }
        }
        return profile
    }
}
