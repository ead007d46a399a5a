import Broker
import Core
import FieldBus
import MQTTCodec
import Payload

/// Takes the commands for the devices of the buses and answers them: writes (`…/thing/service/measurepoint/set`), and questions
/// for the last values (`…/get`).
///
/// Belongs to the broker's event loop; the writes themselves are done by each bus' driver.
final class CommandClient: Client {
    /// A write on its way to a driver.
    struct Command: Sendable {
        var device: DeviceIdentifier
        var identifier: MessageIdentifier
        var values: [PointValue]
    }

    /// Commands that may wait for one bus; one more is refused.
    static let maximumWaiting = 64

    private let broker: Broker
    /// Of the devices on buses.
    var queues: [DeviceIdentifier: AsyncStream<Command>.Continuation] = [:]
    private(set) var commands: UInt64 = 0
    /// The last samples of a device; nil if it is on no bus.
    private let latest: (DeviceIdentifier) -> LatestSamples?

    init(broker: Broker, latest: @escaping (DeviceIdentifier) -> LatestSamples?) {
        self.broker = broker
        self.latest = latest
        super.init()
    }

    func start(now: MonotonicTime, wall: Timestamp) {
        broker.attach(self, identifier: "$martlet/commands")
        // A retained command would be carried out again at every start.
        let options = SubscriptionOptions(qos: .atMostOnce, retainHandling: .doNotSend)
        for filter in [DeviceTopic.measurepointSet, .measurepointGet].compactMap({ TopicFilter($0.filter) }) {
            broker.subscribe(self, filter: filter, options: options, now: now, wall: wall)
        }
    }

    override func flush() {
        while let outbound = popOutbound() {
            if case .publish(let publish) = outbound { take(publish.message) }
        }
    }

    /// Commands of devices that are not on a bus are their own.
    private func take(_ message: Message) {
        let found = message.withTopic { topic in
            DeviceTopic.parse(topic).flatMap { match in match.device(in: topic).map { (match.topic, $0) } }
        }
        guard let (topic, device) = found else { return }
        do throws(CommandFailure) {
            switch topic {
            case .measurepointSet: try set(message, of: device)
            case .measurepointGet: try get(message, of: device)
            case .measurepointPost, .measurepointPostReply, .measurepointSetReply, .measurepointGetReply: break
            }
        } catch {
            guard let reply = topic.reply else { return }
            answer(reply, of: device) { Reply.write(error.identifier, code: error.code, message: error.message, to: &$0) }
        }
    }

    // MARK: Writes

    private func set(_ message: Message, of device: DeviceIdentifier) throws(CommandFailure) {
        guard let queue = queues[device] else { return }
        commands &+= 1
        let set = try CommandClient.parse(message, MeasurepointSet.parse)
        let values = set.assignments.map { PointValue(point: $0.point, value: Value($0.value)) }
        switch queue.yield(Command(device: device, identifier: set.identifier, values: values)) {
        case .enqueued: break
        case .terminated:
            throw CommandFailure(
                code: .handlerFailed, message: "the bus of this device is ended, or begun anew; try again", identifier: set.identifier)
        default:
            throw CommandFailure(
                code: .handlerFailed, message: "too many commands wait for this bus; try again later", identifier: set.identifier)
        }
    }

    /// The driver has carried a command out, or not.
    func finish(_ command: Command, _ results: [WriteResult]) {
        let failures = results.filter { !$0.outcome.isWritten }
        let code: ReplyCode =
            failures.isEmpty ? .success : failures.contains { $0.outcome.isDeviceFailure } ? .handlerFailed : .valueDoesNotFitModel
        let text = failures.map { "\($0.point): \($0.outcome.message)" }.joined(separator: "; ")
        answer(.measurepointSetReply, of: command.device) { Reply.write(command.identifier, code: code, message: text, to: &$0) }
    }

    // MARK: Questions

    /// Answers from what was read last: nothing is asked on the bus.
    private func get(_ message: Message, of device: DeviceIdentifier) throws(CommandFailure) {
        guard let latest = latest(device) else { return }
        let get = try CommandClient.parse(message, MeasurepointGet.parse)
        let unknown = get.points.filter { !latest.has($0) }
        guard unknown.isEmpty else {
            let text = unknown.map { "\($0): the device has no such point" }.joined(separator: "; ")
            throw CommandFailure(code: .valueDoesNotFitModel, message: text, identifier: get.identifier)
        }
        let points = get.points.isEmpty ? latest.points : get.points
        guard points.count <= MeasurepointGet.maxPoints else {
            throw CommandFailure(
                code: .valueDoesNotFitModel, message: "the device has \(points.count) points; name at most \(MeasurepointGet.maxPoints)",
                identifier: get.identifier)
        }
        answer(.measurepointGetReply, of: device) { Reply.write(get.identifier, points: points.map { ($0, latest[$0]) }, to: &$0) }
    }

    // MARK: What is common

    private static func parse<Command>(
        _ message: Message, _ parse: (UnsafeRawBufferPointer) throws(CommandFailure) -> Command
    ) throws(CommandFailure) -> Command {
        try message.withPayload { payload throws(CommandFailure) in try parse(payload) }
    }

    private func answer(_ topic: DeviceTopic, of device: DeviceIdentifier, _ write: (inout [UInt8]) -> Void) {
        guard let topic = topic.name(of: device) else { return }
        var payload: [UInt8] = []
        write(&payload)
        let wall = SystemClock.wall()
        broker.publish(
            Message.create(topic: topic.text, payload: payload, qos: .atLeastOnce, publishedAt: wall),
            now: SystemClock.monotonic(), wall: wall)
    }
}

extension WriteOutcome {
    /// The command was right and the device did not do it.
    fileprivate var isDeviceFailure: Bool {
        switch self {
        case .failed, .notVerified, .readBackDiffers, .busy: true
        case .written, .sent, .unknownDevice, .unknownPoint, .readOnly, .typeMismatch, .outOfRange: false
        }
    }
}

extension Value {
    fileprivate init(_ scalar: MeasurepointSet.Scalar) {
        switch scalar {
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .uint(let value): self = .uint(value)
        case .double(let value): self = .lreal(value)
        case .string(let value): self = .string(value)
        }
    }
}
