import Core

/// A Modbus line as ``PolledBus`` uses it: the polls of its devices request by request, and writes.
final class ModbusLine: BusLine {
    /// How long a read that the device refused is left out before it is tried again.
    static let refusalPeriod = Duration.seconds(60)

    let record: BusRecord
    var connection: ModbusConnection
    var units: [PolledDevice]

    /// Opens nothing yet: the first request does.
    init(bus: ModbusBus, record: BusRecord) throws(FieldBusError) {
        self.record = record
        connection = try ModbusConnection(bus.transport)
        units = bus.devices.map { PolledDevice($0, on: bus) }
    }

    var devices: [BusLineDevice] {
        units.map {
            BusLineDevice(
                identifier: $0.identifier, intervals: $0.groups.map(\.interval), responseTimeout: $0.responseTimeout,
                retries: $0.retries, isRead: !$0.isBroadcast)
        }
    }

    func points(of device: Int) -> [String] { units[device].groups.flatMap { $0.plan.points.map(\.identifier) } }

    func abandonPolls(device: Int) { units[device].abandonPolls() }

    func answerIsOwed(by device: Int) -> MonotonicTime? { connection.answerIsOwed(by: units[device].unitIdentifier) }

    func trace(_ receive: (@Sendable (TracedExchange) -> Void)?) {
        guard let receive else { return connection.trace(nil) }
        let names = Dictionary(units.map { ($0.unitIdentifier, $0.identifier) }) { first, _ in first }
        connection.trace { unit, exchange in
            var exchange = exchange
            exchange.device = names[unit]
            receive(exchange)
        }
    }

    func close() { connection.close() }

    /// Makes one request, and repeats it up to `tries` times in all while nothing believable comes back. More than one try
    /// keeps everything else off the line meanwhile.
    func attempt(
        device index: Int, tries: Int,
        _ operation: (inout ModbusConnection) throws(RequestFailure) -> Void
    ) throws(RequestFailure) {
        var left = tries
        while true {
            left -= 1
            connection.pause = units[index].pause
            let started = SystemClock.monotonic()
            var failure: RequestFailure?
            do throws(RequestFailure) {
                try operation(&connection)
            } catch {
                failure = error
            }
            note(failure, device: index, started: started)
            guard let failure else { return }
            if failure.isAnswer || left == 0 || Task.isCancelled { throw failure }
        }
    }

    private func note(_ failure: RequestFailure?, device index: Int, started: MonotonicTime) {
        let now = SystemClock.monotonic()
        var outcome = BusRecord.Outcome.unanswered
        if failure?.isAnswer ?? true {
            units[index].lastFrameWasBad = false
            // All devices at once are never heard.
            outcome = .answered(after: units[index].isBroadcast ? nil : now - connection.lastRequest, isException: failure != nil)
        }
        let line: BusRecord.LineState = if case .openFailed(let detail)? = failure { .down(detail) } else { .up }
        record.requested(index, outcome, spent: now - started, line: line)
    }
}

extension RequestFailure: BusLineFailure {}
