import Core

extension ModbusDriver {
    /// Makes the next request of a group's poll, once, and delivers the group when it was the last.
    func poll(device: Int, group: Int) {
        let now = SystemClock.monotonic()
        skipRefused(device: device, group: group, now: now)
        let position = devices[device].groups[group].position
        if position < devices[device].groups[group].plan.blocks.count {
            let block = devices[device].groups[group].plan.blocks[position]
            do throws(RequestFailure) {
                try read(block, device: device, tries: 1)
                take(block, device: device, group: group)
            } catch {
                let now = SystemClock.monotonic()
                if !error.isAnswer,
                    schedule.unanswered(device: device, group: group, lineIsDown: error.isLine, now: now)
                {
                    return
                }
                guard refused(by: error, device: device, group: group, now: now) else {
                    devices[device].groups[group].plan.update(block: position) { $0.wasSilent = true }
                    deviceFailed(device, error, started: now)
                    return
                }
            }
        }
        let isFinished = devices[device].groups[group].position >= devices[device].groups[group].plan.blocks.count
        if isFinished { deliverPoll(device: device, group: group) }
        schedule.answered(device: device, group: group, finished: isFinished)
    }

    /// Makes one request to a device that does not answer.
    func probe(device: Int) {
        guard let (group, index) = devices[device].takeProbe() else {
            // A device without points is asked nothing.
            schedule.recovered(device: device, now: SystemClock.monotonic())
            return
        }
        let block = devices[device].groups[group].plan.blocks[index]
        let started = SystemClock.monotonic()
        do throws(RequestFailure) {
            try read(block, device: device, tries: 1)
            var samples: [Sample] = []
            decode(block, device: device, group: group, into: &samples)
            devices[device].groups[group].plan.update(block: index) { $0.wasSilent = false }
            deliverSamples(samples, device: device)
        } catch {
            if !error.isAnswer {
                deviceFailed(device, error, started: started)
                return
            }
        }
        for group in devices[device].groups.indices { devices[device].groups[group].plan.forgetRefusals() }
        schedule.recovered(device: device, now: SystemClock.monotonic())
    }

    func read(_ block: ReadBlock, device: Int, tries: Int) throws(RequestFailure) {
        let unit = devices[device].unitIdentifier
        let timeout = devices[device].responseTimeout
        try attempt(device: device, tries: tries) { connection throws(RequestFailure) in
            try connection.read(
                block.area, unit: unit, startingAddress: block.startingAddress, quantity: block.quantity, timeout: timeout)
        }
    }

    private func decode(_ block: ReadBlock, device: Int, group: Int, into samples: inout [Sample]) {
        let time = SystemClock.wall()
        let plan = devices[device].groups[group].plan
        if block.area.holdsBits {
            plan.decode(block: block, bits: connection.bits(block.quantity), time: time, into: &samples)
        } else {
            plan.decode(block: block, registers: connection.registers(block.quantity), time: time, into: &samples)
        }
    }

    /// Adds what the device answered to the poll and goes on to the next block.
    private func take(_ block: ReadBlock, device: Int, group: Int) {
        var samples: [Sample] = []
        swap(&samples, &devices[device].groups[group].samples)
        if samples.isEmpty { samples.reserveCapacity(devices[device].groups[group].plan.points.count) }
        decode(block, device: device, group: group, into: &samples)
        swap(&samples, &devices[device].groups[group].samples)
        let position = devices[device].groups[group].position
        if block.wasSilent || block.reportedReason != nil {
            devices[device].groups[group].plan.update(block: position) {
                $0.wasSilent = false
                $0.reportedReason = nil
                $0.refusedUntil = nil
            }
        }
        devices[device].groups[group].position = position + 1
    }

    /// Deals with a failure that concerns this block only; false if it concerns the whole device.
    private func refused(by failure: RequestFailure, device: Int, group: Int, now: MonotonicTime) -> Bool {
        let position = devices[device].groups[group].position
        let block = devices[device].groups[group].plan.blocks[position]
        var until: MonotonicTime?
        switch failure {
        case .exception(2), .exception(3):
            if devices[device].groups[group].plan.split(block: position) { return true }
            until = now + ModbusDriver.refusalPeriod
        case .exception(10), .exception(11), .timeout, .broken:
            // The device fell silent over this block before and has answered others since: only this one is bad.
            guard block.wasSilent, lineIsUp == true else { return false }
            until = now + ModbusDriver.refusalPeriod
        case .badFrame:
            // Twice in a row it is not the block.
            if devices[device].lastFrameWasBad { return false }
            devices[device].lastFrameWasBad = true
        case .openFailed:
            return false
        case .exception:
            break
        }
        devices[device].groups[group].plan.update(block: position) { $0.refusedUntil = until }
        reportBad(device: device, group: group, block: position, reason: failure.reason, now: now)
        devices[device].groups[group].position = position + 1
        return true
    }

    /// Steps over the blocks that the device refused a short time ago.
    private func skipRefused(device: Int, group: Int, now: MonotonicTime) {
        while true {
            let position = devices[device].groups[group].position
            let blocks = devices[device].groups[group].plan.blocks
            guard position < blocks.count, let until = blocks[position].refusedUntil, until > now else { return }
            if let reason = blocks[position].reportedReason {
                reportBad(device: device, group: group, block: position, reason: reason, now: now)
            }
            devices[device].groups[group].position = position + 1
        }
    }

    /// Adds the block's points as bad to the poll if that is new, and once a minute.
    private func reportBad(device: Int, group: Int, block index: Int, reason: QualityReason, now: MonotonicTime) {
        let block = devices[device].groups[group].plan.blocks[index]
        let isNew = block.reportedReason != reason
        guard isNew || now - block.reportedAt >= BusSchedule.repeatReport else { return }
        devices[device].groups[group].plan.update(block: index) {
            $0.reportedReason = reason
            $0.reportedAt = now
        }
        let plan = devices[device].groups[group].plan
        var samples: [Sample] = []
        plan.markBad(block: block, reason: reason, time: SystemClock.wall(), into: &samples)
        devices[device].groups[group].samples.append(contentsOf: samples)
        if isNew { events(.pointsBad(devices[device].identifier, points: samples.map(\.point), reason)) }
    }

    private func deliverPoll(device: Int, group: Int) {
        var samples: [Sample] = []
        swap(&samples, &devices[device].groups[group].samples)
        devices[device].groups[group].position = 0
        deliverSamples(samples, device: device)
    }

    private func deliverSamples(_ samples: [Sample], device: Int) {
        guard !samples.isEmpty else { return }
        counters.samples += UInt64(samples.count)
        deliver(DeviceReading(device: devices[device].identifier, samples: samples))
    }

    /// The device did not answer its last try: all its points are bad, at once. A line that cannot be opened makes all devices bad.
    func deviceFailed(_ index: Int, _ failure: RequestFailure, started: MonotonicTime) {
        let now = SystemClock.monotonic()
        let isLine = failure.isLine
        for device in isLine ? 0..<devices.count : index..<index + 1 {
            devices[device].abandonPolls()
            let isNew = schedule.reason(device: device) != failure.reason
            guard schedule.failed(device: device, reason: failure.reason, started: started, now: now) else { continue }
            devices[device].isGood = false
            let time = SystemClock.wall()
            deliverSamples(
                devices[device].groups.flatMap { group in
                    group.plan.points.map {
                        Sample(point: $0.identifier, value: nil, quality: .bad(failure.reason), time: time)
                    }
                }, device: device)
            if isNew, !isLine {
                events(.deviceBad(devices[device].identifier, failure.reason, detail: failure.detail))
            }
        }
    }
}
