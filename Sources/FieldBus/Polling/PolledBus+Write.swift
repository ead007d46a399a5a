import Core

extension PolledBus {
    /// How many values of one call are written before a read may come between, and the end of the bus.
    private static var valuesPerTurn: Int { 8 }

    nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        await writes.admit(values) { await self.performWrite(device: device, values: $0) }
    }

    private func performWrite(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        guard let index = deviceIndex[device] else {
            return values.map { WriteResult(point: $0.point, outcome: .unknownDevice) }
        }
        var outcomes = [WriteOutcome](repeating: .failed(.deviceFailure), count: values.count)
        var ready: [(place: Int, write: Line.Write)] = []
        for (place, value) in values.enumerated() {
            switch line.write(of: value, device: index) {
            case .ready(let write): ready.append((place, write))
            case .refused(let outcome): outcomes[place] = outcome
            }
        }
        // One that has fallen silent does not make the values that follow wait too.
        var silent: QualityReason?
        var rest = ready[...]
        while !rest.isEmpty {
            let turn = rest.prefix(Self.valuesPerTurn)
            rest = rest.dropFirst(turn.count)
            if isRunning == false { silent = .notConnected }
            if let silent {
                for (place, _) in turn { outcomes[place] = .failed(silent) }
                continue
            }
            let report = await send(turn.map(\.write), to: index)
            for (number, (place, _)) in turn.enumerated() where report.outcomes.indices.contains(number) {
                outcomes[place] = report.outcomes[number]
            }
            silent = report.silent
            if !rest.isEmpty { await Task.yield() }
        }
        return zip(values, outcomes).map { WriteResult(point: $0.point, outcome: $1) }
    }

    private func send(_ writes: [Line.Write], to device: Int) async -> (outcomes: [WriteOutcome], silent: QualityReason?) {
        let started = SystemClock.monotonic()
        let dead = schedule.reason(device: device)
        if let dead, !schedule.mayRequest(device: device, now: started) {
            return (writes.map { _ in .failed(dead) }, nil)
        }
        let report = await line.write(writes, device: device, isDead: dead != nil)
        if isRunning == false { return (report.outcomes, .notConnected) }
        noteRequest(to: device)
        if report.didAnswer { schedule.recovered(device: device, now: SystemClock.monotonic()) }
        if let failure = report.failure { deviceFailed(device, failure, started: started) }
        return (report.outcomes, report.failure?.reason)
    }
}
