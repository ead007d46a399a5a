import Configuration
public import Core
import Glibc

/// Listens to a line and finds points in its frames. The driver's thread waits for bytes in poll(); a write ends that wait.
///
/// A line that is gone, because an adapter was pulled out or the other side closed the connection, is opened again by its
/// name: at once, then after waits that double.
public actor TextDriver: FieldBusDriver {
    /// The longest wait for bytes, after which the status can be asked.
    private static let longestWait = Duration.milliseconds(100)
    private static let firstBackOff = Duration.milliseconds(500)
    /// How long a connection may take, and bytes to leave.
    private static let patience = Duration.seconds(2)

    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public nonisolated let name: String
    private let bus: TextBus
    private nonisolated let wakeUp: WakeUp
    private nonisolated let writes = WriteQueue()
    private nonisolated let record: BusRecord
    private nonisolated let tracer = Tracer()
    private var stream: (any TextStream)?
    private var framer: Framer
    private var openAt = MonotonicTime.zero
    private var backOff = TextDriver.firstBackOff
    private var requestAt = MonotonicTime.zero
    /// By device, when it counts as silent.
    private var silentAt: [MonotonicTime]

    /// Opens nothing.
    public init(bus: TextBus) throws(FieldBusError) {
        name = bus.name
        self.bus = bus
        wakeUp = try WakeUp()
        framer = bus.framer
        silentAt = bus.devices.map { _ in .distantFuture }
        record = BusRecord(name: bus.name, protocolName: SerialText.protocolName, devices: bus.deviceIdentifiers)
        executor = ThreadExecutor(name: bus.name)
    }

    public func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async {
        record.begin(deliver: deliver, events: events)
        openAt = .zero
        while !Task.isCancelled {
            let now = SystemClock.monotonic()
            if stream == nil, now >= openAt { open() }
            receive()
            if let frame = framer.settle(now: SystemClock.monotonic()) { take(frame) }
            request()
            noteSilence()
            wait()
            await Task.yield()
        }
        stream = nil
        record.end()
    }

    public nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        await writes.admit(values) { values in
            wakeUp.signal()
            return await performWrite(device: device, values: values)
        }
    }

    public nonisolated func status() -> BusStatus { record.status(now: SystemClock.monotonic()) }

    public func trace(_ receive: (@Sendable (TracedExchange) -> Void)?) { tracer.set(receive) }

    // MARK: The line

    private func open() {
        do throws(FieldBusError) {
            switch bus.transport {
            case .serial(let line): stream = try SerialStream(line)
            case .tcp(let host, let port): stream = try TCPStream(host: host, port: port, timeout: Self.patience)
            }
        } catch {
            lose("\(error)")
            return
        }
        let now = SystemClock.monotonic()
        framer.reset()
        requestAt = now
        for device in silentAt.indices { silentAt[device] = now + bus.timeout }
        record.lineIsUp()
    }

    /// The line is gone, or could not be opened.
    private func lose(_ detail: String) {
        stream = nil
        openAt = SystemClock.monotonic() + backOff
        backOff = min(backOff * 2, max(bus.maxBackOff, Self.firstBackOff))
        guard record.lineIsDown(detail) else { return }
        for device in bus.devices.indices {
            silentAt[device] = .distantFuture
            fail(device, .notConnected, detail)
        }
    }

    private func wait() {
        let now = SystemClock.monotonic()
        var until = now + Self.longestWait
        if stream == nil { until = min(until, openAt) }
        if let deadline = framer.deadline { until = min(until, deadline) }
        if stream != nil, !bus.request.isEmpty { until = min(until, requestAt) }
        let left = !writes.isEmpty ? .zero : max(.zero, until - now)
        var entries = [pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)]
        if let stream { entries.append(pollfd(fd: stream.descriptor, events: Int16(POLLIN), revents: 0)) }
        // Rounded up: a wait that ends early would be followed by many without any.
        poll(&entries, nfds_t(entries.count), Int32(clamping: (left.wholeNanoseconds + 999_999) / 1_000_000))
        if entries[0].revents != 0 { wakeUp.clear() }
    }

    private func receive() {
        guard let stream else { return }
        let bytes: [UInt8]
        do throws(FieldBusError) {
            bytes = try stream.read()
        } catch {
            lose("\(error)")
            return
        }
        guard !bytes.isEmpty else { return }
        tracer.note(printable: bytes, .received)
        backOff = Self.firstBackOff
        for frame in framer.take(bytes, at: SystemClock.monotonic()) { take(frame) }
    }

    private func request() {
        let now = SystemClock.monotonic()
        guard let stream, !bus.request.isEmpty, now >= requestAt else { return }
        requestAt = max(requestAt + bus.requestInterval, now)
        do throws(FieldBusError) {
            tracer.note(printable: bus.request, .sent)
            try stream.write(bus.request, deadline: now + Self.patience)
        } catch {
            lose("\(error)")
        }
    }

    // MARK: Frames

    private func take(_ frame: [UInt8]) {
        let wall = SystemClock.wall()
        for index in bus.devices.indices {
            let samples = bus.devices[index].points.compactMap { point -> Sample? in
                guard let field = point.field else { return nil }
                switch field.read(frame, as: point.type, separator: bus.separator) {
                case .absent:
                    return nil
                case .invalid(let reason):
                    return Sample(point: point.identifier, value: nil, quality: .bad(reason), time: wall)
                case .value(let raw):
                    let (value, quality) = point.conversion.value(raw)
                    return Sample(point: point.identifier, value: value, quality: quality, time: wall)
                }
            }
            guard !samples.isEmpty else { continue }
            silentAt[index] = SystemClock.monotonic() + bus.timeout
            record.take(samples, of: index, detail: "the frame has no values")
        }
    }

    private func noteSilence() {
        let now = SystemClock.monotonic()
        for device in silentAt.indices where now >= silentAt[device] {
            // Said once; the next frame ends it.
            silentAt[device] = .distantFuture
            fail(device, .timeout, "no frame with its points in time")
        }
    }

    private func fail(_ device: Int, _ reason: QualityReason, _ detail: String) {
        let wall = SystemClock.wall()
        let samples = bus.devices[device].points.filter { $0.field != nil }.map {
            Sample(point: $0.identifier, value: nil, quality: .bad(reason), time: wall)
        }
        record.take(samples, of: device, detail: detail)
    }

    // MARK: Writing

    private func performWrite(device: DeviceIdentifier, values: [PointValue]) -> [WriteResult] {
        let points = bus.devices.first { $0.identifier == device }?.points
        return values.map { value in
            guard let points else { return WriteResult(point: value.point, outcome: .unknownDevice) }
            guard let point = points.first(where: { $0.identifier == value.point }) else {
                return WriteResult(point: value.point, outcome: .unknownPoint)
            }
            return WriteResult(point: value.point, outcome: send(value.value, point))
        }
    }

    private func send(_ value: Value, _ point: TextBus.Point) -> WriteOutcome {
        guard let template = point.send else { return .readOnly }
        let raw: Value
        do throws(EncodeFailure) {
            let number = try point.conversion.raw(value)
            let fitted = try point.type.fitted(number, rounds: point.conversion.scales)
            // A whole number for a REAL is sent as one: 21, and not 21.0.
            raw = point.type.isInteger ? fitted : number
        } catch {
            return error == .typeMismatch ? .typeMismatch(expected: point.type) : .outOfRange
        }
        guard let stream else { return .failed(.notConnected) }
        do throws(FieldBusError) {
            let bytes = template.render(raw)
            tracer.note(printable: bytes, .sent)
            try stream.write(bytes, deadline: SystemClock.monotonic() + Self.patience)
            return .written
        } catch {
            return .failed(.notConnected)
        }
    }
}
