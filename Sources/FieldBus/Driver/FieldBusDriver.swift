public import Core

/// What the appliance knows of a field bus: one driver instance per bus, whatever the protocol.
///
/// Lifecycle:
///
/// 1. The driver is made from its own plan structs and checks them; making it opens nothing.
/// 2. ``run(deliver:events:)`` opens the line, polls until its task is cancelled, closes the line and returns. It is
///    called at most once at a time. It never throws: whatever goes wrong on a bus is quality of points and a
///    ``BusEvent``.
/// 3. ``write(device:values:)``, ``status()`` and ``trace(_:)`` may be called at any time from anywhere. A write goes before
///    the next read; the status waits for nothing.
///
/// `deliver` and `events` are called on the driver's own thread and must return quickly: they post to a bounded queue.
public protocol FieldBusDriver: Actor {
    /// The bus' name in the configuration.
    nonisolated var name: String { get }

    /// Polls until the task is cancelled.
    func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async

    /// Writes points of a device in the order given, reads each back and compares.
    ///
    /// - Returns: one result per value, in the same order.
    nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult]

    /// Counters and the state of every device, for the summary and the metrics.
    nonisolated func status() -> BusStatus

    /// Has everything that passes over the line told from now on; nil ends that. Costs a copy of every byte while it is on.
    ///
    /// `receive` is called on one of the driver's threads and must return quickly.
    func trace(_ receive: (@Sendable (TracedExchange) -> Void)?)
}

extension FieldBusDriver {
    /// Nothing passes over a line.
    public func trace(_ receive: (@Sendable (TracedExchange) -> Void)?) {}

    /// Polls until the task is cancelled; events are dropped.
    public func run(deliver: @escaping @Sendable (DeviceReading) -> Void) async {
        await run(deliver: deliver, events: { _ in })
    }
}

/// What one poll of a device brought: the points of one group, or all points of a device that stopped answering.
public struct DeviceReading: Sendable, Hashable {
    public var device: DeviceIdentifier
    /// At least one. Each carries its own source time: when the answer that held it arrived.
    public var samples: [Sample]

    public init(device: DeviceIdentifier, samples: [Sample]) {
        self.device = device
        self.samples = samples
    }
}

/// Something that a field engineer wants to find in the log. Reported on change only, never once per poll.
public enum BusEvent: Sendable, Hashable {
    /// The line was opened.
    case opened
    /// The line could not be opened; `detail` says why.
    case openFailed(detail: String)
    /// A driver's own program has ended, could not be started or cannot be used; it is started again after that time.
    case programEnded(detail: String, again: Duration)
    /// A device stopped answering, or does so for another reason than before.
    case deviceBad(DeviceIdentifier, QualityReason, detail: String)
    /// A device answered for the first time, or again.
    case deviceGood(DeviceIdentifier)
    /// Something that a driver's own program has to say.
    case said(String)
    /// A device answers, but not with these points, which are read together; often it is one that the device does not have.
    case pointsBad(DeviceIdentifier, points: [String], QualityReason)
}
