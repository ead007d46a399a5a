import Broker
import Core
import FieldBus
import MQTTCodec
import Payload

/// Takes the write commands for the devices of the buses (`…/thing/service/measurepoint/set`) and answers them.
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

    init(broker: Broker) {
        self.broker = broker
        super.init()
    }

    func start(now: MonotonicTime, wall: Timestamp) {
        broker.attach(self, identifier: "$martlet/commands")
        guard let filter = TopicFilter(DeviceTopic.measurepointSet.filter) else { return }
        // A retained command would be carried out again at every start.
        let options = SubscriptionOptions(qos: .atMostOnce, retainHandling: .doNotSend)
        broker.subscribe(self, filter: filter, options: options, now: now, wall: wall)
    }

    override func flush() {
        while let outbound = popOutbound() {
            if case .publish(let publish) = outbound { take(publish.message) }
        }
    }

    private func take(_ message: Message) {
        let device = message.withTopic { topic in DeviceTopic.parse(topic).flatMap { $0.device(in: topic) } }
        // Commands of devices that are not on a bus are their own.
        guard let device, let queue = queues[device] else { return }
        commands &+= 1
        do throws(MeasurepointSet.Failure) {
            let set = try CommandClient.parse(message)
            let values = set.assignments.map { PointValue(point: $0.point, value: Value($0.value)) }
            switch queue.yield(Command(device: device, identifier: set.identifier, values: values)) {
            case .enqueued: break
            case .terminated:
                reply(to: device, set.identifier, code: .handlerFailed, message: "the bus of this device is ended, or begun anew; try again")
            default:
                reply(to: device, set.identifier, code: .handlerFailed, message: "too many commands wait for this bus; try again later")
            }
        } catch {
            reply(to: device, error.identifier, code: error.code, message: error.message)
        }
    }

    private static func parse(_ message: Message) throws(MeasurepointSet.Failure) -> MeasurepointSet {
        try message.withPayload { payload throws(MeasurepointSet.Failure) in try MeasurepointSet.parse(payload) }
    }

    /// The driver has carried a command out, or not.
    func finish(_ command: Command, _ results: [WriteResult]) {
        let failures = results.filter { !$0.outcome.isWritten }
        let code: ReplyCode =
            failures.isEmpty ? .success : failures.contains { $0.outcome.isDeviceFailure } ? .handlerFailed : .valueDoesNotFitModel
        let text = failures.map { "\($0.point): \($0.outcome.message)" }.joined(separator: "; ")
        reply(to: command.device, command.identifier, code: code, message: text)
    }

    private func reply(to device: DeviceIdentifier, _ identifier: MessageIdentifier, code: ReplyCode, message: String) {
        guard let topic = DeviceTopic.measurepointSetReply.name(of: device) else { return }
        var payload: [UInt8] = []
        Reply.write(identifier, code: code, message: message, to: &payload)
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
