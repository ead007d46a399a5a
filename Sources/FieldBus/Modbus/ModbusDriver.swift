import Core
import Synchronization

/// Polls the devices of one Modbus line and writes to them, on a thread of its own.
///
/// One request at a time is on the line. Between two requests the actor takes the writes that have come meanwhile.
public actor ModbusDriver: FieldBusDriver {
    /// How many calls of ``write(device:values:)`` may wait; more are refused as busy.
    public static let maxPendingWrites = 64
    /// How long a read that the device refused is left out before it is tried again.
    static let refusalPeriod = Duration.seconds(60)

    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// The bus' name in the configuration.
    public nonisolated let name: String
    private nonisolated let protocolName: String
    nonisolated let pendingWrites = Atomic<Int>(0)

    let deviceIndex: [DeviceIdentifier: Int]
    var connection: ModbusConnection
    var schedule: BusSchedule
    var devices: [PolledDevice]
    var deliver: @Sendable (DeviceReading) -> Void = { _ in }
    var events: @Sendable (BusEvent) -> Void = { _ in }
    /// nil until the line was opened, or could not be, for the first time.
    var lineIsUp: Bool?
    var counters = Counters()
    private let made = SystemClock.monotonic()

    struct Counters {
        var requests: UInt64 = 0
        var errors: UInt64 = 0
        var exceptions: UInt64 = 0
        var samples: UInt64 = 0
        var busy = Duration.zero
    }

    /// Checks the description and starts the driver's thread; opens nothing yet.
    public init(bus: ModbusBus) throws(FieldBusError) {
        try bus.validate()
        name = bus.name
        protocolName = bus.protocolName
        connection = try ModbusConnection(bus.transport)
        let devices = bus.devices.map { PolledDevice($0, on: bus) }
        self.devices = devices
        deviceIndex = Dictionary(
            devices.enumerated().map { ($1.identifier, $0) }, uniquingKeysWith: { first, _ in first })
        schedule = BusSchedule(
            devices: devices.map {
                BusSchedule.Device(
                    intervals: $0.groups.map(\.interval), probeCost: $0.responseTimeout, retries: $0.retries)
            }, maxBackOff: bus.maxBackOff, start: made)
        executor = ThreadExecutor(name: bus.name)
    }

    public func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async {
        self.deliver = deliver
        self.events = events
        schedule.begin(at: SystemClock.monotonic(), phase: BusSchedule.phase(name))
        while !Task.isCancelled {
            let now = SystemClock.monotonic()
            switch schedule.next(now: now) {
            case .poll(let device, let group):
                poll(device: device, group: group)
                await Task.yield()
            case .probe(let device):
                probe(device: device)
                await Task.yield()
            case .wait(let until):
                // A write can bring a device back meanwhile, so no wait is long.
                try? await Task.sleep(for: min(until - now, .seconds(1)))
            }
        }
        connection.close()
        self.deliver = { _ in }
        self.events = { _ in }
    }

    public func status() -> BusStatus {
        let now = SystemClock.monotonic()
        return BusStatus(
            name: name, protocolName: protocolName, isOpen: connection.isOpen, opens: connection.opens,
            requests: counters.requests, errors: counters.errors, exceptions: counters.exceptions,
            samples: counters.samples, overruns: schedule.overruns, busy: counters.busy, elapsed: now - made,
            devices: devices.indices.map { index in
                let device = devices[index]
                let isUnread = device.lastAnswer == nil && !device.isBroadcast
                let reason = schedule.reason(device: index) ?? (isUnread ? .notYetRead : nil)
                return DeviceStatus(
                    device: device.identifier, quality: reason.map { .bad($0) } ?? .good,
                    backOff: schedule.backOff(device: index, now: now), lastAnswer: device.lastAnswer,
                    requests: device.requests, errors: device.errors, missingPoints: device.missingPoints,
                    answerTimes: device.answerTimes)
            })
    }

    /// Makes one request, and repeats it up to `tries` times in all while nothing believable comes back. More than one try
    /// keeps everything else off the line meanwhile.
    func attempt(
        device index: Int, tries: Int,
        _ operation: (inout ModbusConnection) throws(RequestFailure) -> Void
    ) throws(RequestFailure) {
        var left = tries
        while true {
            left -= 1
            counters.requests += 1
            devices[index].requests += 1
            connection.pause = devices[index].pause
            let started = SystemClock.monotonic()
            do throws(RequestFailure) {
                defer {
                    counters.busy += SystemClock.monotonic() - started
                    schedule.hold(device: index, until: connection.answerIsOwed(by: devices[index].unitIdentifier))
                }
                try operation(&connection)
            } catch {
                noteLine(error)
                if case .exception = error { counters.exceptions += 1 } else { counters.errors += 1 }
                if error.isAnswer {
                    noteAnswer(device: index)
                    devices[index].answerTimes.record(SystemClock.monotonic() - connection.lastRequest)
                } else {
                    devices[index].errors += 1
                    if left > 0, !Task.isCancelled { continue }
                }
                throw error
            }
            noteLine(nil)
            noteAnswer(device: index)
            if !devices[index].isBroadcast { devices[index].answerTimes.record(SystemClock.monotonic() - connection.lastRequest) }
            return
        }
    }

    private func noteAnswer(device index: Int) {
        devices[index].lastAnswer = SystemClock.wall()
        devices[index].lastFrameWasBad = false
        if devices[index].isGood != true {
            devices[index].isGood = true
            events(.deviceGood(devices[index].identifier))
        }
    }

    /// Follows whether the line itself is open.
    private func noteLine(_ failure: RequestFailure?) {
        if case .openFailed(let detail) = failure {
            if lineIsUp != false { events(.openFailed(detail: detail)) }
            lineIsUp = false
        } else if lineIsUp != true {
            if lineIsUp == false { schedule.opened(now: SystemClock.monotonic()) }
            lineIsUp = true
            events(.opened)
        }
    }
}
