public import Core

// Devices that do not answer: back-off, probes and coming back.

extension BusSchedule {
    enum Probe {
        case now(device: Int)
        case at(MonotonicTime)
    }

    /// When to probe the dead device that has waited longest, if no poll is owed a turn before.
    func nextProbe(now: MonotonicTime, pollIsDue: Bool, nextDue: MonotonicTime) -> Probe? {
        var candidate: Int?
        for index in devices.indices where devices[index].reason != nil {
            if candidate.map({ devices[index].probeAt < devices[$0].probeAt }) ?? true { candidate = index }
        }
        guard let candidate else { return nil }
        let device = devices[candidate]
        // With nobody left to disturb only the back-off counts.
        if deadCount == devices.count { return device.probeAt <= now ? .now(device: candidate) : .at(device.probeAt) }
        let earliest = max(device.probeAt, probesAllowedFrom)
        if earliest > now { return .at(earliest) }
        let fits = !pollIsDue && now + device.probeCost <= nextDue
        let patienceEnds = device.probeAt + BusSchedule.probePatience
        if fits || patienceEnds <= now { return .now(device: candidate) }
        return .at(patienceEnds)
    }

    /// Whether a device may be sent one request now, out of turn: always if it answers, and if it is dead only as often
    /// as a probe might be.
    public func mayRequest(device: Int, now: MonotonicTime) -> Bool {
        devices[device].reason == nil || deadCount == devices.count || (lastTry < turns && probesAllowedFrom <= now)
    }

    /// The device did not answer.
    ///
    /// - Parameter started: when the request that failed was begun.
    /// - Returns: whether all its points are to be reported bad now: when that is new, for a new reason, or once a minute.
    public mutating func failed(device index: Int, reason: QualityReason, started: MonotonicTime, now: MonotonicTime) -> Bool {
        let wasDead = devices[index].reason != nil
        if wasDead {
            let cost = (now - started).wholeNanoseconds
            probesAllowedFrom = now + .nanoseconds(cost > Int64.max / 4 ? Int64.max / 4 : 3 * cost)
            noteTry(isProbe: true)
        } else {
            deadCount += 1
            for group in devices[index].groups { groups[group].isActive = false }
        }
        // One that soon fails again goes on with the back-off it had.
        let wasSteady = !wasDead && (devices[index].recoveredAt.map { now - $0 >= devices[index].backOff } ?? true)
        let backOff =
            wasSteady || devices[index].backOff == .zero
            ? BusSchedule.firstBackOff : .nanoseconds(2 * min(devices[index].backOff.wholeNanoseconds, Int64.max / 4))
        devices[index].backOff = min(backOff, maxBackOff)
        devices[index].retryAt = now + devices[index].backOff
        let report =
            devices[index].reason != reason || now - devices[index].reportedAt >= BusSchedule.repeatReport
        devices[index].reason = reason
        devices[index].retry = nil
        devices[index].recoveredAt = nil
        if report { devices[index].reportedAt = now }
        return report
    }

    /// A dead device answered: its groups are due at once, in the latest slot of their grids.
    public mutating func recovered(device index: Int, now: MonotonicTime) {
        guard devices[index].reason != nil else { return }
        deadCount -= 1
        devices[index].reason = nil
        devices[index].recoveredAt = now
        for group in devices[index].groups {
            if groups[group].due > now { groups[group].due.nanoseconds -= groups[group].interval }
            _ = skipMissedSlots(group, now: now)
        }
    }

    /// The line is open again: all devices that were dead only because it was not are tried in their turn, without
    /// waiting for their back-off.
    public mutating func opened(now: MonotonicTime) {
        for index in devices.indices where devices[index].reason == .notConnected { recovered(device: index, now: now) }
    }

    /// Why a device is not answering; nil while it does.
    public func reason(device: Int) -> QualityReason? { devices[device].reason }

    /// How long until a dead device is probed at the earliest; nil while it answers.
    public func backOff(device: Int, now: MonotonicTime) -> Duration? {
        devices[device].reason == nil ? nil : max(.zero, devices[device].retryAt - now)
    }
}
