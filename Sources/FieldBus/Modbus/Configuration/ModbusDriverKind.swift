package import Configuration
public import Core

/// What the Modbus protocols have in common: from the tables of the file to a ``ModbusBus``.
package protocol ModbusDriverKind: Driver where DeviceTable == ModbusDeviceTable, PointTable == ModbusPointTable {
    static func accepts(unitIdentifier: Int) -> Bool
}

extension ModbusDriverKind {
    package static func place(_ device: ModbusDeviceTable) -> (key: String, text: String)? {
        ("unit-identifier", "unit-identifier \(device.unitIdentifier)")
    }

    package static func misplaced(_ point: MartletConfiguration.Product.Point, _ keys: ModbusPointTable) -> [MisplacedKey] {
        ModbusPointTable.misplaced(point, keys)
    }

    package static func check(
        _ point: MartletConfiguration.Product.Point, _ keys: ModbusPointTable, _ findings: inout Findings
    ) {
        ModbusPointTable.check(point, keys, &findings)
    }
}

extension ModbusDriverKind where BusTable: ModbusLineTable {
    package static func check(_ device: ModbusDeviceTable, on bus: BusTable, _ findings: inout Findings) {
        guard device.source.isSound("unit-identifier"), !accepts(unitIdentifier: device.unitIdentifier) else { return }
        findings.report(
            device.source["unit-identifier"],
            "unit-identifier \(device.unitIdentifier) is out of range on \(protocolName) (\(BusTable.unitIdentifiers))")
    }

    package static func plan(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> any BusPlan {
        let plan = modbusBus(bus)
        // Of a mistake in a device or point that was found already it would speak a second time.
        guard errors.isEmpty else { return plan }
        do throws(FieldBusError) {
            try plan.validate()
        } catch {
            errors.append(ConfigurationError(bus.bus.source.position, error.description))
        }
        return plan
    }

    package static func simulate(_ bus: BusDescription) throws(FieldBusError) -> any BusSimulator {
        try ModbusBusSimulator(modbusBus(bus))
    }

    /// The line as the driver has it.
    static func modbusBus(_ bus: BusDescription) -> ModbusBus {
        let table = bus.bus.driver.keys(as: BusTable.self) ?? BusTable()
        var made = ModbusBus(name: bus.bus.name, transport: table.transport(bus.board))
        made.responseTimeout = table.line.timeout
        made.retries = table.line.retries
        made.maxBackOff = table.line.maxBackOff
        made.maxGap = table.line.maxGap
        made.pause = table.line.pause
        made.devices = bus.devices.map { device in
            let keys = device.device.driver.keys(as: ModbusDeviceTable.self) ?? ModbusDeviceTable()
            var made = ModbusDevice(identifier: device.device.identifier, unitIdentifier: keys.unitIdentifier)
            made.responseTimeout = keys.timeout
            made.retries = keys.retries
            made.maxGap = keys.maxGap
            made.pause = keys.pause
            made.maxQuantity = keys.maxQuantity ?? 125
            made.points = device.points.compactMap { point, interval in
                guard let keys: ModbusPointTable = point.driver.keys() else { return nil }
                var made = ModbusPoint(
                    identifier: point.identifier, type: point.type, area: keys.area, address: keys.address)
                made.wordOrder = keys.wordOrder
                made.bit = keys.bit
                made.length = keys.length ?? 0
                made.conversion = PointConversion(point)
                made.writable = point.writable
                made.interval = interval
                return made
            }
            return made
        }
        return made
    }
}

extension ModbusBus: BusPlan {
    public var deviceIdentifiers: [DeviceIdentifier] { devices.map(\.identifier) }

    public var polls: [PlannedPoll] {
        // Each read has a time of its own, and with it a post.
        let points = polledDevices.flatMap { device in
            device.groups.flatMap { group in group.plan.blocks.map { group.plan.points[$0.points] } }
        }
        return zip(LinePlan(self, answerTime: LinePlan.usualAnswerTime).requests, points).map { request, points in
            PlannedPoll(
                device: request.device, interval: request.interval,
                points: points.map {
                    PlannedPoint(identifier: $0.identifier, type: $0.type, conversion: $0.conversion, length: $0.length)
                }, duration: request.duration)
        }
    }

    /// Those that are read, each with its groups: ``LinePlan`` has their requests in this order.
    var polledDevices: [PolledDevice] {
        devices.filter { !transport.isBroadcast($0.unitIdentifier) }.map { PolledDevice($0, on: self) }
    }

    /// Checks the description and starts the driver's thread; opens nothing yet.
    public func makeDriver() throws(FieldBusError) -> any FieldBusDriver {
        try validate()
        let record = BusRecord(
            name: name, protocolName: protocolName,
            devices: devices.map { ($0.identifier, !transport.isBroadcast($0.unitIdentifier)) })
        return PolledBus(name: name, line: try ModbusLine(bus: self, record: record), record: record, maxBackOff: maxBackOff)
    }
}

