public import Core
import Synchronization

extension ModbusDriver {
    /// How many values of one call are written before a read may come between.
    private static let valuesPerTurn = 32

    public nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        let waiting = pendingWrites.add(1, ordering: .relaxed).newValue
        defer { pendingWrites.subtract(1, ordering: .relaxed) }
        guard waiting <= ModbusDriver.maxPendingWrites else {
            return values.map { WriteResult(point: $0.point, outcome: .busy) }
        }
        return await performWrite(device: device, values: values)
    }

    private func performWrite(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        guard let index = deviceIndex[device] else {
            return values.map { WriteResult(point: $0.point, outcome: .unknownDevice) }
        }
        var results: [WriteResult] = []
        results.reserveCapacity(values.count)
        var silent: QualityReason?
        for (number, value) in values.enumerated() {
            if number > 0, number.isMultiple(of: ModbusDriver.valuesPerTurn) { await Task.yield() }
            let outcome: WriteOutcome
            if let point = devices[index].point(value.point) {
                outcome = write(value.value, to: point, device: index, silent: &silent)
            } else {
                outcome = .unknownPoint
            }
            results.append(WriteResult(point: value.point, outcome: outcome))
        }
        return results
    }

    /// Writes, reads back and compares.
    ///
    /// - Parameter silent: set when the device did not answer, so that the values that follow do not wait for it too.
    private func write(
        _ value: Value, to point: ModbusPoint, device: Int, silent: inout QualityReason?
    ) -> WriteOutcome {
        guard point.writable, point.area.isWritable else { return .readOnly }
        let wanted: [UInt16]
        do throws(EncodeFailure) {
            wanted = try point.registers(of: value)
        } catch {
            switch error {
            case .typeMismatch: return .typeMismatch(expected: point.type)
            case .outOfRange: return .outOfRange
            }
        }
        if let silent { return .failed(silent) }
        if devices[device].isBroadcast { return broadcast(wanted, to: point, device: device, silent: &silent) }
        let started = SystemClock.monotonic()
        if let reason = schedule.reason(device: device), !schedule.mayRequest(device: device, now: started) {
            return .failed(reason)
        }
        var unanswered: RequestFailure?
        do throws(RequestFailure) {
            try send(wanted, to: point, device: device)
        } catch {
            if error.isAnswer {
                schedule.recovered(device: device, now: SystemClock.monotonic())
                return .failed(error.reason)
            }
            if error.isLine || schedule.reason(device: device) != nil {
                silent = error.reason
                deviceFailed(device, error, started: started)
                return .failed(error.reason)
            }
            // The device may have taken the value although nothing came back: reading tells.
            unanswered = error
        }
        schedule.recovered(device: device, now: SystemClock.monotonic())
        return verify(wanted, value, point, device: device, unanswered: unanswered, silent: &silent)
    }

    /// Sends a value to all devices of the line.
    private func broadcast(
        _ wanted: [UInt16], to point: ModbusPoint, device: Int, silent: inout QualityReason?
    ) -> WriteOutcome {
        do throws(RequestFailure) {
            try send(wanted, to: point, device: device)
            return .sent
        } catch {
            silent = error.reason
            return .failed(error.reason)
        }
    }

    /// Reads back and compares.
    ///
    /// - Parameter unanswered: why nothing came back for the write itself.
    private func verify(
        _ wanted: [UInt16], _ value: Value, _ point: ModbusPoint, device: Int, unanswered: RequestFailure?,
        silent: inout QualityReason?
    ) -> WriteOutcome {
        let started = SystemClock.monotonic()
        do throws(RequestFailure) {
            let read = try readBack(point, device: device)
            if isSame(wanted, read, point) { return .written }
            if let unanswered { return .failed(unanswered.reason) }
            let written = point.type == .bool ? .bool(wanted != [0]) : decoded(wanted, point) ?? value
            return .readBackDiffers(written: written, read: decoded(read, point))
        } catch {
            if !error.isAnswer {
                silent = error.reason
                deviceFailed(device, error, started: started)
            }
            return unanswered.map { .failed($0.reason) } ?? .notVerified(error.reason)
        }
    }

    /// The request that fits the point. It is sent once: what it sets off in the device may not be harmless to repeat.
    private func send(_ wanted: [UInt16], to point: ModbusPoint, device: Int) throws(RequestFailure) {
        let unit = devices[device].unitIdentifier
        let timeout = devices[device].responseTimeout
        let address = point.address
        if point.area == .coil {
            try preferringSingle(device) { (multiple) throws(RequestFailure) in
                try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
                    try connection.writeCoil(
                        wanted != [0], unit: unit, address: address, multiple: multiple, timeout: timeout)
                }
            }
        } else if let bit = point.bit {
            let mask = point.wordOrder.word(1 << UInt16(bit & 15))
            try writeBit(mask, wanted != [0], address: address, device: device)
        } else if wanted.count == 1 {
            try writeRegister(wanted[0], address: address, device: device)
        } else {
            try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
                try connection.writeRegisters(wanted, unit: unit, address: address, multiple: true, timeout: timeout)
            }
        }
    }

    private func writeRegister(_ value: UInt16, address: Int, device: Int) throws(RequestFailure) {
        let unit = devices[device].unitIdentifier
        let timeout = devices[device].responseTimeout
        try preferringSingle(device) { (multiple) throws(RequestFailure) in
            try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
                try connection.writeRegisters(
                    [value], unit: unit, address: address, multiple: multiple, timeout: timeout)
            }
        }
    }

    /// Function 5 or 6, and for a device that does not know them 15 or 16, then and from then on.
    private func preferringSingle(
        _ device: Int, _ request: (_ multiple: Bool) throws(RequestFailure) -> Void
    ) throws(RequestFailure) {
        if devices[device].lacksSingleWrites {
            try request(true)
            return
        }
        do throws(RequestFailure) {
            try request(false)
        } catch {
            guard error == .exception(1) else { throw error }
            try request(true)
            devices[device].lacksSingleWrites = true
        }
    }

    /// Function 22, which changes the bit inside the device; where it is not known, reads the register and writes it back.
    private func writeBit(_ mask: UInt16, _ on: Bool, address: Int, device: Int) throws(RequestFailure) {
        let unit = devices[device].unitIdentifier
        let timeout = devices[device].responseTimeout
        if !devices[device].lacksMaskWrite {
            do throws(RequestFailure) {
                try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
                    try connection.maskWriteRegister(
                        and: ~mask, or: on ? mask : 0, unit: unit, address: address, timeout: timeout)
                }
                return
            } catch {
                // Some devices leave an unknown function without an answer.
                guard error == .exception(1) || (error == .timeout && schedule.reason(device: device) == nil) else {
                    throw error
                }
            }
        }
        try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
            try connection.read(.holdingRegister, unit: unit, startingAddress: address, quantity: 1, timeout: timeout)
        }
        let old = connection.registers(1)[0]
        try writeRegister(on ? old | mask : old & ~mask, address: address, device: device)
        devices[device].lacksMaskWrite = true
    }

    /// Its tries follow each other in a row, because a write is one command and its caller waits for the outcome. What that
    /// costs: the first write to a device that has fallen silent keeps all others off the line for (retries + 2) response
    /// time-outs, the write's own and those of this, and where function 22 is tried first for one more. The device is dead
    /// then, and a further write to it is refused or makes one try, as a probe does. On a serial line a write also waits,
    /// for at most two response time-outs, while a late answer of its device may come.
    private func readBack(_ point: ModbusPoint, device: Int) throws(RequestFailure) -> [UInt16] {
        let block = ReadBlock(
            area: point.area, startingAddress: point.address, quantity: point.quantity, points: 0..<0)
        try read(block, device: device, tries: devices[device].retries + 1)
        return point.area.holdsBits
            ? connection.bits(1).map { UInt16($0) } : Array(connection.registers(point.quantity))
    }

    private func isSame(_ wanted: [UInt16], _ read: [UInt16], _ point: ModbusPoint) -> Bool {
        guard point.area != .coil, let bit = point.bit, let register = read.first else { return wanted == read }
        return (register & point.wordOrder.word(1 << UInt16(bit & 15)) != 0) == (wanted != [0])
    }

    private func decoded(_ registers: [UInt16], _ point: ModbusPoint) -> Value? {
        if point.area == .coil { return registers.first.map { .bool($0 != 0) } }
        return registers.withUnsafeBufferPointer { RegisterCodec(point).decode($0).value }.flatMap { point.conversion.onlyScales ? $0 : point.conversion.value($0).value }
    }
}
