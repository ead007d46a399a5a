import Core
import Payload
import Store

// What hosts ask for: a rebirth, and values of devices' metrics to be written.

/// A write that waits for the device's answer.
struct SparkplugCommand {
    var device: DeviceIdentifier
    /// Metrics by their places in the device's list, each with the value as it is written.
    var values: [(tag: Int, value: SparkplugWireValue)]
    /// For the log.
    var pointList: String
}

extension SparkplugForm {
    /// nil if the topic is none of commands.
    func command(_ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer, now: Moment) -> [FormEffect]? {
        let text = String(decoding: topic, as: UTF8.self)
        if text == self.topic("NCMD") { return nodeCommand(payload, now: now) }
        let prefix = self.topic("DCMD") + "/"
        guard text.hasPrefix(prefix) else { return nil }
        let name = String(text.dropFirst(prefix.count))
        guard let index = deviceIndicesByName[name] else { return [.warn("a command of the host is for device \(name), which there is not")] }
        do throws(SparkplugError) {
            return deviceCommand(try SparkplugPayload.read(payload), device: index, now: now)
        } catch {
            return [.warn("a command of the host for \(name) cannot be read: \(error)")]
        }
    }

    private func nodeCommand(_ payload: UnsafeRawBufferPointer, now: Moment) -> [FormEffect] {
        let metrics: [SparkplugMetric]
        do throws(SparkplugError) {
            metrics = try SparkplugPayload.read(payload).metrics
        } catch {
            return [.warn("a command of the host cannot be read: \(error)")]
        }
        var effects: [FormEffect] = []
        for metric in metrics {
            if metric.name == Self.rebirth {
                if metric.value == .boolean(true) { effects += rebirthIfDue(now: now) }
            } else {
                let name = metric.name ?? nodeTags.index(of: metric).map { nodeTags[$0].name } ?? "without a name"
                effects.append(.warn("the host sets \(name) of the node, which cannot be set"))
            }
        }
        return effects
    }

    /// One command of the local vocabulary for all metrics that can be written; the others are refused.
    private func deviceCommand(_ payload: SparkplugPayload, device index: Int, now: Moment) -> [FormEffect] {
        let device = devices[index]
        var effects: [FormEffect] = []
        var values: [(tag: Int, value: SparkplugWireValue)] = []
        var assignments: [MeasurepointSet.Assignment] = []
        for metric in payload.metrics {
            let name = metric.name ?? metric.alias.map { "alias \($0)" } ?? "a metric without a name"
            guard let tag = device.tags.index(of: metric) else {
                effects.append(.warn("the host sets \(name) of \(device.identifier), which there is not"))
                continue
            }
            let known = device.tags[tag]
            guard known.access == .writable else {
                effects.append(.warn("the host sets \(known.name) of \(device.identifier), which cannot be written"))
                continue
            }
            guard !metric.isNull, let value = metric.value.flatMap({ known.type.value(of: $0) }),
                let scalar = MeasurepointSet.Scalar(value), let wire = known.type.wire(of: value)
            else {
                effects.append(.warn("the host sets \(known.name) of \(device.identifier) to no value of its type"))
                continue
            }
            // Of two values for one point the second one counts.
            if let earlier = assignments.firstIndex(where: { $0.point == known.name }) {
                assignments.remove(at: earlier)
                values.remove(at: earlier)
            }
            values.append((tag, wire))
            assignments.append(MeasurepointSet.Assignment(point: known.name, value: scalar))
        }
        guard !assignments.isEmpty else { return effects }
        let points = assignments.map(\.point).joined(separator: ", ")
        return effects + set(assignments, SparkplugCommand(device: device.identifier, values: values, pointList: points), now: now)
    }

    private func set(_ assignments: [MeasurepointSet.Assignment], _ command: SparkplugCommand, now: Moment) -> [FormEffect] {
        guard let topic = DeviceTopic.measurepointSet.name(of: command.device),
            let replyTopic = DeviceTopic.measurepointSetReply.name(of: command.device)
        else { return [] }
        lastCommand &+= 1
        let envelope = LocalCommand(identifier: "sparkplug-\(lastCommand)", method: "thing.service.measurepoint.set")
        let key = PendingCommands<SparkplugCommand>.Key(topic: Array(replyTopic.text.utf8), identifier: envelope.identifierJSON)
        guard commands.insert(key, command, deadline: now.monotonic + configuration.commandTimeout) else {
            return [.warn("too many commands of the host wait for their answers; one for \(command.device) is refused")]
        }
        return [.publishLocal(FormPublish(topic: topic.text, payload: envelope.payload { $0.assignments(assignments) }))]
    }

    /// A device's answer: the values as data if it has written them.
    func answer(_ message: Message, now: Moment) -> [FormEffect] {
        guard commands.count > 0, let answer = message.withPayload({ LocalAnswer($0, scanner: &scanner) }),
            let command = commands.take(.init(topic: message.withTopic { Array($0) }, identifier: answer.identifier))
        else { return [] }
        guard answer.code == ReplyCode.success.rawValue else {
            let reason = answer.message.isEmpty ? "" : ": \(answer.message)"
            return [.warn("\(command.device) refuses a command of the host for \(command.pointList) with \(answer.code)\(reason)")]
        }
        guard let index = deviceIndices[command.device], isBorn, devices[index].isBorn else { return [] }
        var metrics: [SparkplugMetric] = []
        for (tag, value) in command.values {
            let state = SparkplugTag.State(value: value, quality: .good, time: now.wall)
            devices[index].tags[tag].keep(state)
            metrics.append(devices[index].tags[tag].datum(state, isHistorical: false))
        }
        return [.publishUpstream(publish("\(topic("DDATA"))/\(devices[index].name)", metrics, now: now))]
    }
}

extension MeasurepointSet.Scalar {
    /// nil for bytes and arrays.
    fileprivate init?(_ value: SparkplugValue) {
        switch value {
        case .boolean(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .uint(let value): self = value <= UInt64(Int64.max) ? .int(Int64(value)) : .uint(value)
        case .float(let value): self = .double(Double(value))
        case .double(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .bytes, .array: return nil
        }
    }
}
