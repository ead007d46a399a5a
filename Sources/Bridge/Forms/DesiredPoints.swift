import Core
import Payload

/// Brings points to the values that a cloud's document wants them to have: a command to the device, and from its answer what
/// is to be reported.
///
/// A cloud repeats its wish for as long as the reported value differs. A value that a device refused is not tried again until
/// the wish changes or the connection is a new one; where the reason may pass, after a minute.
struct DesiredPoints {
    struct Outcome: Equatable {
        var device: DeviceIdentifier
        var leaves: [PointTree.Leaf]
        /// 200, or why not.
        var code: Int
        /// At most 200 characters.
        var message: String
    }

    /// Of a command that nobody answered.
    static let timeoutCode = 504
    /// Of one that had no place among those that wait.
    static let busyCode = 429
    /// After this time a value is tried again that failed for a reason that may pass.
    static let retryInterval = Duration.seconds(60)

    private struct Place: Hashable {
        var device: DeviceIdentifier
        var point: String
    }

    /// Points of the devices that the configuration knows, by name: whether they take a value.
    private var known: [DeviceIdentifier: [String: Bool]] = [:]
    private let name: String
    private let timeout: Duration
    private var last: UInt64 = 0
    private var commands = PendingCommands<(device: DeviceIdentifier, leaves: [PointTree.Leaf])>()
    /// What is under way, or was refused.
    private var tried: [Place: [UInt8]] = [:]
    /// Of them, what failed for a reason that may pass.
    private var passing: Set<Place> = []
    private var retryAt: MonotonicTime?

    /// - Parameters:
    ///   - name: begins the `id` of commands, so that the answers to others' are told apart.
    ///   - timeout: how long a device may take to answer.
    init(name: String, devices: [FormDevice], timeout: Duration) {
        self.name = name
        self.timeout = timeout
        for device in devices {
            var points: [String: Bool] = [:]
            for point in device.points { points[point.identifier] = point.isWritable }
            known[DeviceIdentifier(productKey: device.product, deviceKey: device.key)] = points
        }
    }

    /// Where devices answer here.
    static let answerFilters = [DeviceTopic.measurepointSetReply.filter]

    /// - Parameter tree: what differs from the values reported.
    /// - Returns: the commands, and what is refused without one.
    mutating func apply(_ tree: PointTree, now: MonotonicTime) -> (commands: [FormPublish], refused: [Outcome]) {
        var made: [FormPublish] = []
        var refused: [Outcome] = []
        for (device, wanted) in tree.devices {
            var leaves: [PointTree.Leaf] = []
            var wrong: [PointTree.Leaf] = []
            for leaf in wanted where tried[Place(device: device, point: leaf.point)] != leaf.json {
                guard tried.count < PointTree.limit else { break }
                tried[Place(device: device, point: leaf.point)] = leaf.json
                // A device that is not on a bus knows by itself what it takes.
                if known[device].map({ $0[leaf.point] == true }) ?? true { leaves.append(leaf) } else { wrong.append(leaf) }
            }
            if !wrong.isEmpty {
                let names = wrong.map(\.point).joined(separator: ", ")
                refused.append(
                    Outcome(
                        device: device, leaves: wrong, code: ReplyCode.valueDoesNotFitModel.rawValue,
                        message: String("not a writable point: \(names)".prefix(200))))
            }
            guard !leaves.isEmpty else { continue }
            if let command = command(leaves, device, now) {
                made.append(command)
            } else {
                refused.append(outcome((device, leaves), code: Self.busyCode, message: "too many commands wait", now: now))
            }
        }
        return (made, refused)
    }

    private mutating func command(_ leaves: [PointTree.Leaf], _ device: DeviceIdentifier, _ now: MonotonicTime) -> FormPublish? {
        guard let topic = DeviceTopic.measurepointSet.name(of: device), let reply = DeviceTopic.measurepointSetReply.name(of: device)
        else { return nil }
        last &+= 1
        let envelope = LocalCommand(identifier: "\(name)-\(last)", method: "thing.service.measurepoint.set")
        let key = PendingCommands<(device: DeviceIdentifier, leaves: [PointTree.Leaf])>.Key(
            topic: Array(reply.text.utf8), identifier: envelope.identifierJSON)
        guard commands.insert(key, (device, leaves), deadline: now + timeout) else { return nil }
        let payload = envelope.payload { writer in
            writer.beginObject()
            for leaf in leaves {
                writer.name(leaf.point)
                leaf.json.withUnsafeBytes { writer.raw($0) }
            }
            writer.endObject()
        }
        return FormPublish(topic: topic.text, payload: payload)
    }

    /// What a device has answered; nil if it is no answer to one of these commands.
    mutating func answered(_ message: Message, now: MonotonicTime, scanner: inout JSONScanner) -> Outcome? {
        guard commands.count > 0 else { return nil }
        let answer = message.withPayload { LocalAnswer($0, scanner: &scanner) }
        guard let answer, let command = commands.take(.init(topic: message.withTopic { Array($0) }, identifier: answer.identifier))
        else { return nil }
        return outcome(command, code: answer.code, message: answer.message, now: now)
    }

    mutating func takeExpired(now: MonotonicTime) -> [Outcome] {
        commands.takeExpired(now: now).map {
            outcome($0.origin, code: Self.timeoutCode, message: "the device does not answer", now: now)
        }
    }

    /// To be called about once a second; true if the document is to be asked for again, for the sake of what failed.
    mutating func shouldAskAgain(now: MonotonicTime) -> Bool {
        guard let retryAt, now >= retryAt else { return false }
        self.retryAt = nil
        for place in passing { tried[place] = nil }
        passing.removeAll()
        return true
    }

    private mutating func outcome(
        _ command: (device: DeviceIdentifier, leaves: [PointTree.Leaf]), code: Int, message: String, now: MonotonicTime
    ) -> Outcome {
        let places = command.leaves.map { Place(device: command.device, point: $0.point) }
        switch code {
        case ReplyCode.success.rawValue:
            for place in places { tried[place] = nil }
        case ReplyCode.handlerFailed.rawValue, Self.timeoutCode, Self.busyCode:
            passing.formUnion(places)
            if retryAt == nil { retryAt = now + Self.retryInterval }
        default:
            break
        }
        return Outcome(device: command.device, leaves: command.leaves, code: code, message: message)
    }

    /// On another connection the document is asked for anew.
    mutating func connectionLost() {
        commands.removeAll()
        tried.removeAll()
        passing.removeAll()
        retryAt = nil
    }

    /// The change of the reported document: the values that are set now, and what went wrong, which the next success takes
    /// away again.
    ///
    ///     {"points":{"meter":{"m1":{"setpoint":21.5}}},"errors":{"meter":{"m1":null}}}
    static func report(_ outcome: Outcome) -> [UInt8] {
        let isDone = outcome.code == ReplyCode.success.rawValue
        var writer = JSONWriter()
        writer.beginObject()
        if isDone {
            writer.name("points")
            nested(outcome.device, &writer) { writer in
                writer.beginObject()
                for leaf in outcome.leaves {
                    writer.name(leaf.point)
                    leaf.json.withUnsafeBytes { writer.raw($0) }
                }
                writer.endObject()
            }
        }
        writer.name("errors")
        nested(outcome.device, &writer) { writer in
            guard !isDone else { return writer.null() }
            writer.beginObject()
            writer.name("code")
            writer.integer(Int64(outcome.code))
            writer.name("message")
            writer.string(outcome.message)
            writer.endObject()
        }
        writer.endObject()
        return writer.finish()
    }

    private static func nested(_ device: DeviceIdentifier, _ writer: inout JSONWriter, _ body: (inout JSONWriter) -> Void) {
        writer.beginObject()
        writer.name(device.productKey)
        writer.beginObject()
        writer.name(device.deviceKey)
        body(&writer)
        writer.endObject()
        writer.endObject()
    }
}
