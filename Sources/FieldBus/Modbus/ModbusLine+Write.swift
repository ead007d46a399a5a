import Core

/// A value as it goes into a device's registers.
struct ModbusWrite {
    var point: ModbusPoint
    var value: Value
    /// A coil is 0 or 1.
    var registers: [UInt16]
}

extension ModbusLine {
    func write(of value: PointValue, device: Int) -> PreparedWrite<ModbusWrite> {
        guard let point = units[device].point(value.point) else { return .refused(.unknownPoint) }
        guard point.writable, point.area.isWritable else { return .refused(.readOnly) }
        do throws(EncodeFailure) {
            return .ready(ModbusWrite(point: point, value: value.value, registers: try point.registers(of: value.value)))
        } catch {
            switch error {
            case .typeMismatch: return .refused(.typeMismatch(expected: point.type))
            case .outOfRange: return .refused(.outOfRange)
            }
        }
    }

    nonisolated(nonsending) func write(
        _ writes: [ModbusWrite], device: Int, isDead: Bool
    ) async -> WriteReport<RequestFailure> {
        var report = WriteReport<RequestFailure>()
        for write in writes {
            // Those that follow do not wait for it too.
            let outcome =
                report.failure.map { .failed($0.reason) }
                ?? perform(write, device: device, isDead: isDead && !report.didAnswer, &report)
            report.outcomes.append(outcome)
        }
        return report
    }

    /// Writes, reads back and compares.
    private func perform(
        _ write: ModbusWrite, device: Int, isDead: Bool, _ report: inout WriteReport<RequestFailure>
    ) -> WriteOutcome {
        if units[device].isBroadcast { return broadcast(write, device: device, &report) }
        var unanswered: RequestFailure?
        do throws(RequestFailure) {
            try send(write, device: device, isDead: isDead)
            report.didAnswer = true
        } catch {
            if error.isAnswer {
                report.didAnswer = true
                return .failed(error.reason)
            }
            if error.isLine || isDead {
                report.failure = error
                return .failed(error.reason)
            }
            // The device may have taken the value although nothing came back: reading tells.
            unanswered = error
        }
        return verify(write, device: device, unanswered: unanswered, &report)
    }

    /// Sends a value to all devices of the line.
    private func broadcast(
        _ write: ModbusWrite, device: Int, _ report: inout WriteReport<RequestFailure>
    ) -> WriteOutcome {
        do throws(RequestFailure) {
            try send(write, device: device, isDead: false)
            return .sent
        } catch {
            report.failure = error
            return .failed(error.reason)
        }
    }

    /// Reads back and compares.
    ///
    /// - Parameter unanswered: why nothing came back for the write itself.
    private func verify(
        _ write: ModbusWrite, device: Int, unanswered: RequestFailure?, _ report: inout WriteReport<RequestFailure>
    ) -> WriteOutcome {
        let point = write.point
        let wanted = write.registers
        do throws(RequestFailure) {
            let read = try readBack(point, device: device)
            report.didAnswer = true
            if isSame(wanted, read, point) { return .written }
            if let unanswered { return .failed(unanswered.reason) }
            let written = point.type == .bool ? .bool(wanted != [0]) : decoded(wanted, point) ?? write.value
            return .readBackDiffers(written: written, read: decoded(read, point))
        } catch {
            if !error.isAnswer { report.failure = error }
            return unanswered.map { .failed($0.reason) } ?? .notVerified(error.reason)
        }
    }

    /// The request that fits the point. It is sent once: what it sets off in the device may not be harmless to repeat.
    private func send(_ write: ModbusWrite, device: Int, isDead: Bool) throws(RequestFailure) {
        let point = write.point
        let wanted = write.registers
        let unit = units[device].unitIdentifier
        let timeout = units[device].responseTimeout
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
            try writeBit(mask, wanted != [0], address: address, device: device, isDead: isDead)
        } else if wanted.count == 1 {
            try writeRegister(wanted[0], address: address, device: device)
        } else {
            try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
                try connection.writeRegisters(wanted, unit: unit, address: address, multiple: true, timeout: timeout)
            }
        }
    }

    private func writeRegister(_ value: UInt16, address: Int, device: Int) throws(RequestFailure) {
        let unit = units[device].unitIdentifier
        let timeout = units[device].responseTimeout
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
        if units[device].lacksSingleWrites {
            try request(true)
            return
        }
        do throws(RequestFailure) {
            try request(false)
        } catch {
            guard error == .exception(1) else { throw error }
            try request(true)
            units[device].lacksSingleWrites = true
        }
    }

    /// Function 22, which changes the bit inside the device; where it is not known, reads the register and writes it back.
    private func writeBit(
        _ mask: UInt16, _ on: Bool, address: Int, device: Int, isDead: Bool
    ) throws(RequestFailure) {
        let unit = units[device].unitIdentifier
        let timeout = units[device].responseTimeout
        var isUnknown = false
        if !units[device].lacksMaskWrite {
            do throws(RequestFailure) {
                try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
                    try connection.maskWriteRegister(
                        and: ~mask, or: on ? mask : 0, unit: unit, address: address, timeout: timeout)
                }
                units[device].hasMissedMaskWrite = false
                return
            } catch {
                // Some devices leave an unknown function without an answer; once may be the line's fault.
                guard error == .exception(1) || (error == .timeout && !isDead) else {
                    throw error
                }
                isUnknown = error == .exception(1) || units[device].hasMissedMaskWrite
                units[device].hasMissedMaskWrite = true
            }
        }
        try attempt(device: device, tries: 1) { connection throws(RequestFailure) in
            try connection.read(.holdingRegister, unit: unit, startingAddress: address, quantity: 1, timeout: timeout)
        }
        let old = connection.registers(1)[0]
        try writeRegister(on ? old | mask : old & ~mask, address: address, device: device)
        if isUnknown { units[device].lacksMaskWrite = true }
    }

    /// Its tries follow each other in a row, because a write is one command and its caller waits for the outcome. What that
    /// costs: the first write to a device that has fallen silent keeps all others off the line for (retries + 2) response
    /// time-outs, the write's own and those of this, and where function 22 is tried first for one more. The device is dead
    /// then, and a further write to it is refused or makes one try, as a probe does. On a serial line a write also waits,
    /// for at most two response time-outs, while a late answer of its device may come.
    private func readBack(_ point: ModbusPoint, device: Int) throws(RequestFailure) -> [UInt16] {
        let block = ReadBlock(
            area: point.area, startingAddress: point.address, quantity: point.quantity, points: 0..<0)
        try read(block, device: device, tries: units[device].retries + 1)
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
