import Core

extension ModbusBus {
    /// Checks that the line can work as described.
    ///
    /// - Throws: ``FieldBusError/invalid(place:problem:)`` for the first thing that cannot.
    public func validate() throws(FieldBusError) {
        let place = "bus \(name)"
        switch transport {
        case .tcp(let host, let port), .rtuOverTCP(let host, let port):
            if host.isEmpty { throw .invalid(place: place, problem: "the host is empty") }
            if !(1...65_535).contains(port) { throw .invalid(place: place, problem: "port \(port) is not in 1…65535") }
        case .rtu(let line):
            try line.validate(place: place)
        }
        try ModbusBus.validate(
            place: place, responseTimeout: responseTimeout, retries: retries, maxGap: maxGap)
        if maxBackOff < .milliseconds(100) || maxBackOff > .seconds(86_400) {
            throw .invalid(place: place, problem: "the longest back-off is not in 100 ms…1 day")
        }
        if devices.count > 1000 { throw .invalid(place: place, problem: "more than 1000 devices on one line") }
        var seen: Set<DeviceIdentifier> = []
        for device in devices {
            let place = "\(place), device \(device.identifier)"
            if !seen.insert(device.identifier).inserted { throw .invalid(place: place, problem: "is there twice") }
            if !accepts(unitIdentifier: device.unitIdentifier) {
                throw .invalid(
                    place: place,
                    problem: "unit identifier \(device.unitIdentifier) is not in 0…247 (Modbus TCP: 255 too)")
            }
            try ModbusBus.validate(
                place: place, responseTimeout: device.responseTimeout ?? responseTimeout,
                retries: device.retries ?? retries, maxGap: device.maxGap ?? maxGap)
            let pause = device.pause ?? pause
            if pause < .zero || pause > .seconds(10) { throw .invalid(place: place, problem: "the pause is not in 0…10 s") }
            if !(1...125).contains(device.maxQuantity) {
                throw .invalid(place: place, problem: "max-quantity \(device.maxQuantity) is not in 1…125")
            }
            try device.validate(place: place)
        }
    }

    private func accepts(unitIdentifier: Int) -> Bool {
        switch transport.framing {
        case .tcp: (0...247).contains(unitIdentifier) || unitIdentifier == 255
        case .rtu: (0...247).contains(unitIdentifier)
        }
    }

    private static func validate(
        place: String, responseTimeout: Duration, retries: Int, maxGap: Int
    ) throws(FieldBusError) {
        if responseTimeout < .milliseconds(10) || responseTimeout > .seconds(60) {
            throw .invalid(place: place, problem: "the response timeout is not in 10 ms…60 s")
        }
        if !(0...10).contains(retries) { throw .invalid(place: place, problem: "\(retries) retries are not in 0…10") }
        if !(0...124).contains(maxGap) { throw .invalid(place: place, problem: "max-gap \(maxGap) is not in 0…124") }
    }
}

extension SerialLine {
    func validate(place: String) throws(FieldBusError) {
        if serialPort.isEmpty { throw .invalid(place: place, problem: "the serial port is empty") }
        if !SerialLine.supportedBaudRates.contains(baudRate) {
            throw .invalid(place: place, problem: "baud rate \(baudRate) is not supported (9600, 19200, …)")
        }
        if !(5...8).contains(dataBits) { throw .invalid(place: place, problem: "\(dataBits) data bits are not in 5…8") }
        if !(1...2).contains(stopBits) { throw .invalid(place: place, problem: "stop bits are 1 or 2") }
    }
}

extension ModbusDevice {
    func validate(place: String) throws(FieldBusError) {
        if points.count > 65_536 { throw .invalid(place: place, problem: "more than 65536 points") }
        var seen: Set<String> = []
        for point in points {
            let place = "\(place), point \(point.identifier)"
            if !seen.insert(point.identifier).inserted { throw .invalid(place: place, problem: "is there twice") }
            if let problem = point.problem { throw .invalid(place: place, problem: problem) }
        }
    }
}

extension ModbusPoint {
    /// What is wrong with the point; nil when nothing is.
    var problem: String? {
        if identifier.isEmpty { return "the identifier is empty" }
        if type == .string, !(1...250).contains(length) { return "length \(length) is not in 1…250 bytes" }
        if address < 0 || address > 65_536 - quantity { return "address \(address) is not in 0…\(65_536 - quantity)" }
        if area.holdsBits, type != .bool { return "a \(area.rawValue) holds a BOOL, not \(type.rawValue)" }
        if let bit {
            if type != .bool { return "a bit of a register is a BOOL, not \(type.rawValue)" }
            if area.holdsBits { return "a \(area.rawValue) has no bits to choose from; leave `bit` out" }
            if !(0...15).contains(bit) { return "bit \(bit) is not in 0…15" }
        }
        if let problem = conversion.problem(type) { return problem }
        if writable, !area.isWritable { return "a \(area.rawValue) cannot be written" }
        if interval < .milliseconds(10) || interval > .seconds(86_400) { return "the interval is not in 10 ms…1 day" }
        return nil
    }
}
