import Core

// A bus whose devices are asked is three things:
//
//     ``BusSchedule``   whom to ask next          the same for all
//     ``PolledBus``     asks, tells the rest      the same for all
//     ``BusLine``       one request and its answer: what a driver writes
//
// All of a line is used on the bus' own thread. A method that waits (`nonisolated(nonsending)`) lets a write in meanwhile; one
// that blocks does not.

/// What a driver has to be able to do so that ``PolledBus`` can poll its devices.
protocol BusLine: AnyObject {
    /// Why a device gave no answer.
    associatedtype Failure: BusLineFailure
    /// A value that was checked and is ready to be sent.
    associatedtype Write

    /// What is on the line, in the order in which devices are counted everywhere.
    var devices: [BusLineDevice] { get }
    /// The longest time between two calls of ``tend()``.
    var longestWait: Duration { get }

    /// Opens the line, or looks after it, where that is not part of a request.
    nonisolated(nonsending) func tend() async -> BusLineState

    /// Makes the next request of a group's poll. What the device refuses is an answer too, and a bad value of the points
    /// concerned.
    nonisolated(nonsending) func poll(device: Int, group: Int) async throws(Failure) -> PollStep

    /// The last try of a poll's request went unanswered. A line that knows that the device answers all but this one leaves it
    /// out and goes on.
    ///
    /// - Returns: nil if the device is to be taken for dead.
    func leaveOut(device: Int, group: Int, _ failure: Failure) -> PollStep?

    /// Makes one request to a device that does not answer.
    nonisolated(nonsending) func probe(device: Int) async throws(Failure) -> [Sample]

    /// Forgets the polls of a device that are under way.
    func abandonPolls(device: Int)

    /// Until when the device is to be asked nothing new, because an answer may still come.
    func answerIsOwed(by device: Int) -> MonotonicTime?

    /// The points of a device that are read.
    func points(of device: Int) -> [String]

    /// Checks a value that is to be written.
    func write(of value: PointValue, device: Int) -> PreparedWrite<Write>

    /// Writes values in their order, reads each back and compares, where the line can.
    ///
    /// - Parameter isDead: the device did not answer the last time, so that one try has to do.
    nonisolated(nonsending) func write(_ writes: [Write], device: Int, isDead: Bool) async -> WriteReport<Failure>

    /// Has everything that passes over the line told from now on; nil ends that.
    func trace(_ receive: (@Sendable (TracedExchange) -> Void)?)

    func close()
}

extension BusLine {
    var longestWait: Duration { .seconds(1) }
    nonisolated(nonsending) func tend() async -> BusLineState { .up(isAsked: true) }
    func leaveOut(device: Int, group: Int, _ failure: Failure) -> PollStep? { nil }
    func abandonPolls(device: Int) {}
    func answerIsOwed(by device: Int) -> MonotonicTime? { nil }
}

protocol BusLineFailure: Error, Sendable {
    var reason: QualityReason { get }
    /// For people.
    var detail: String { get }
    /// Whether no device could have been asked.
    var isLine: Bool { get }
}

/// A device on a line, as its schedule sees it.
struct BusLineDevice: Sendable {
    var identifier: DeviceIdentifier
    /// Of its groups, the shortest first.
    var intervals: [Duration]
    /// How long a request takes that it does not answer.
    var responseTimeout: Duration
    var retries: Int
    /// false for one that is only written to, as all devices of a line at once are.
    var isRead = true
}

enum BusLineState: Sendable, Hashable {
    /// - Parameter isAsked: whether devices are polled, or send by themselves.
    case up(isAsked: Bool)
    /// - Parameters:
    ///   - detail: why, if that is new.
    ///   - again: when a program that ended is started again.
    case down(detail: String?, again: Duration? = nil)
}

/// What a request of a poll brought.
enum PollStep: Sendable {
    /// The device answered; there are requests left.
    case unfinished
    /// With all that the poll has brought.
    case finished([Sample])
}

enum PreparedWrite<Write> {
    case ready(Write)
    /// Nothing is sent.
    case refused(WriteOutcome)
}

/// What became of some values.
struct WriteReport<Failure: BusLineFailure> {
    /// One for each, in their order.
    var outcomes: [WriteOutcome] = []
    /// Whether the device has answered.
    var didAnswer = false
    /// Why the device is to be taken for dead.
    var failure: Failure?
}
