import Core

extension ModbusLine {
    /// Makes the next request of a group's poll, once.
    nonisolated(nonsending) func poll(device: Int, group: Int) async throws(RequestFailure) -> PollStep {
        skipRefused(device: device, group: group, now: SystemClock.monotonic())
        let position = units[device].groups[group].position
        if position < units[device].groups[group].plan.blocks.count {
            let block = units[device].groups[group].plan.blocks[position]
            do throws(RequestFailure) {
                try read(block, device: device, tries: 1)
                take(block, device: device, group: group)
            } catch {
                guard error.isAnswer else { throw error }
                refuse(error, device: device, group: group)
            }
        }
        return step(device: device, group: group)
    }

    /// The device fell silent over this block before and has answered others since, or sent one frame that cannot be believed:
    /// only this block is bad.
    func leaveOut(device: Int, group: Int, _ failure: RequestFailure) -> PollStep? {
        let position = units[device].groups[group].position
        switch failure {
        case .exception, .timeout, .broken:
            guard units[device].groups[group].plan.blocks[position].wasSilent else {
                units[device].groups[group].plan.update(block: position) { $0.wasSilent = true }
                return nil
            }
        case .badFrame:
            // Twice in a row it is not the block.
            if units[device].lastFrameWasBad {
                units[device].groups[group].plan.update(block: position) { $0.wasSilent = true }
                return nil
            }
            units[device].lastFrameWasBad = true
        case .openFailed:
            return nil
        }
        refuse(failure, device: device, group: group)
        return step(device: device, group: group)
    }

    private func step(device: Int, group: Int) -> PollStep {
        guard units[device].groups[group].position >= units[device].groups[group].plan.blocks.count else { return .unfinished }
        var samples: [Sample] = []
        swap(&samples, &units[device].groups[group].samples)
        units[device].groups[group].position = 0
        return .finished(samples)
    }

    /// Makes one request to a device that does not answer.
    nonisolated(nonsending) func probe(device: Int) async throws(RequestFailure) -> [Sample] {
        // A device without points is asked nothing.
        guard let (group, index) = units[device].takeProbe() else { return [] }
        let block = units[device].groups[group].plan.blocks[index]
        var samples: [Sample] = []
        do throws(RequestFailure) {
            try read(block, device: device, tries: 1)
            decode(block, device: device, group: group, into: &samples)
            units[device].groups[group].plan.update(block: index) { $0.wasSilent = false }
        } catch {
            guard error.isAnswer else { throw error }
        }
        for group in units[device].groups.indices { units[device].groups[group].plan.forgetRefusals() }
        noteMissing(device)
        return samples
    }

    func read(_ block: ReadBlock, device: Int, tries: Int) throws(RequestFailure) {
        let unit = units[device].unitIdentifier
        let timeout = units[device].responseTimeout
        try attempt(device: device, tries: tries) { connection throws(RequestFailure) in
            try connection.read(
                block.area, unit: unit, startingAddress: block.startingAddress, quantity: block.quantity, timeout: timeout)
        }
    }

    private func decode(_ block: ReadBlock, device: Int, group: Int, into samples: inout [Sample]) {
        let time = SystemClock.wall()
        let plan = units[device].groups[group].plan
        if block.area.holdsBits {
            plan.decode(block: block, bits: connection.bits(block.quantity), time: time, into: &samples)
        } else {
            plan.decode(block: block, registers: connection.registers(block.quantity), time: time, into: &samples)
        }
    }

    /// Adds what the device answered to the poll and goes on to the next block.
    private func take(_ block: ReadBlock, device: Int, group: Int) {
        var samples: [Sample] = []
        swap(&samples, &units[device].groups[group].samples)
        if samples.isEmpty { samples.reserveCapacity(units[device].groups[group].plan.points.count) }
        decode(block, device: device, group: group, into: &samples)
        swap(&samples, &units[device].groups[group].samples)
        let position = units[device].groups[group].position
        if block.wasSilent || block.reportedReason != nil {
            units[device].groups[group].plan.update(block: position) {
                $0.wasSilent = false
                $0.reportedReason = nil
                $0.refusedUntil = nil
            }
            noteMissing(device)
        }
        units[device].groups[group].position = position + 1
    }

    /// The points of the block at hand are bad, and those of the others are not: halves it if the device may have a part of it.
    private func refuse(_ failure: RequestFailure, device: Int, group: Int) {
        let now = SystemClock.monotonic()
        let position = units[device].groups[group].position
        var until: MonotonicTime?
        switch failure {
        case .exception(2), .exception(3):
            if units[device].groups[group].plan.split(block: position) { return }
            until = now + ModbusLine.refusalPeriod
        case .exception(10), .exception(11), .timeout, .broken:
            until = now + ModbusLine.refusalPeriod
        case .badFrame, .openFailed, .exception:
            break
        }
        units[device].groups[group].plan.update(block: position) { $0.refusedUntil = until }
        noteMissing(device)
        reportBad(device: device, group: group, block: position, reason: failure.reason, now: now)
        units[device].groups[group].position = position + 1
    }

    private func noteMissing(_ device: Int) { record.setMissing(units[device].missingPoints, of: device) }

    /// Steps over the blocks that the device refused a short time ago.
    private func skipRefused(device: Int, group: Int, now: MonotonicTime) {
        while true {
            let position = units[device].groups[group].position
            let blocks = units[device].groups[group].plan.blocks
            guard position < blocks.count, let until = blocks[position].refusedUntil, until > now else { return }
            if let reason = blocks[position].reportedReason {
                reportBad(device: device, group: group, block: position, reason: reason, now: now)
            }
            units[device].groups[group].position = position + 1
        }
    }

    /// Adds the block's points as bad to the poll if that is new, and once a minute.
    private func reportBad(device: Int, group: Int, block index: Int, reason: QualityReason, now: MonotonicTime) {
        let block = units[device].groups[group].plan.blocks[index]
        let isNew = block.reportedReason != reason
        guard isNew || now - block.reportedAt >= BusSchedule.repeatReport else { return }
        units[device].groups[group].plan.update(block: index) {
            $0.reportedReason = reason
            $0.reportedAt = now
        }
        let plan = units[device].groups[group].plan
        var samples: [Sample] = []
        plan.markBad(block: block, reason: reason, time: SystemClock.wall(), into: &samples)
        units[device].groups[group].samples.append(contentsOf: samples)
        if isNew { record.say(.pointsBad(units[device].identifier, points: samples.map(\.point), reason)) }
    }
}
