import Core
import Payload
import Store

// What ThingsBoard asks for: remote procedure calls, and shared attributes that are points.

/// A command that waits for a device's answer.
struct ThingsBoardCommand {
    enum Origin {
        /// A call, with its `id` as JSON; its answer is the device's data, or that it has succeeded.
        case call(identifier: [UInt8], returnsData: Bool)
        /// Shared attributes, by their names.
        case attributes(String)
    }

    var device: String
    var origin: Origin
}

extension ThingsBoardForm {
    // MARK: Calls

    /// `{"device":…,"data":{"id":…,"method":…,"params":…}}`
    func called(_ payload: UnsafeRawBufferPointer, now: Moment) -> [FormEffect] {
        guard let (device, data) = addressed(payload), let method = scanner.member("method", of: data).flatMap({ scanner.string($0) }),
            let node = scanner.member("id", of: data), scanner[node].kind == .number
        else {
            // Not a call: an answer of ours, if the upstream is an ordinary broker.
            return []
        }
        let identifier = Array(scanner.raw(node))
        guard let index = index(named: device) else {
            return [.publishUpstream(failure(device, identifier, code: nil, "there is no device \(device)"))]
        }
        let params = scanner.member("params", of: data)
        switch method {
        case "get": return [.publishUpstream(values(ofDevice: index, params, identifier))]
        case "set": return set(index, params, .call(identifier: identifier, returnsData: false), now: now)
        default:
            if devices[index].points[method] != nil { return point(method, index, params, identifier, now: now) }
            return service(method, index, params, identifier, now: now)
        }
    }

    /// A call that is named as a point: sets it to its parameter, or tells its value if there is none.
    private func point(_ point: String, _ index: Int, _ params: Int?, _ identifier: [UInt8], now: Moment) -> [FormEffect] {
        guard let params, let value = MeasurepointSet.Scalar(scanner, params) else {
            let value = devices[index].latest[point] ?? .null
            return [.publishUpstream(answer(devices[index].name, identifier) { $0.value(value) })]
        }
        return set(index, [.init(point: point, value: value)], .call(identifier: identifier, returnsData: false), now: now)
    }

    /// The values that points last told: of those that are named, or of all.
    private func values(ofDevice index: Int, _ params: Int?, _ identifier: [UInt8]) -> FormPublish {
        var names: [String] = []
        if let params, scanner[params].kind == .array {
            var element = scanner.first(in: params)
            while let node = element {
                if let name = scanner.string(node) { names.append(name) }
                element = scanner.next(after: node, in: params)
            }
        }
        if names.isEmpty { names = devices[index].latest.keys.sorted() }
        return answer(devices[index].name, identifier) { writer in
            writer.beginObject()
            for name in names {
                writer.name(name)
                writer.value(devices[index].latest[name] ?? .null)
            }
            writer.endObject()
        }
    }

    private func service(_ method: String, _ index: Int, _ params: Int?, _ identifier: [UInt8], now: Moment) -> [FormEffect] {
        let device = devices[index].identifier
        guard DeviceTopic.isKey(method), !method.hasSuffix("_reply") else {
            return [.publishUpstream(failure(devices[index].name, identifier, code: nil, "there is no method \(method)"))]
        }
        let topic = "/sys/\(device.productKey)/\(device.deviceKey)/thing/service/\(method)"
        let command = ThingsBoardCommand(device: devices[index].name, origin: .call(identifier: identifier, returnsData: true))
        return send(topic, "thing.service.\(method)", command, now: now) { writer in
            if let params, scanner[params].kind != .null {
                writer.raw(scanner.raw(params))
            } else {
                writer.beginObject()
                writer.endObject()
            }
        }
    }

    /// Sets the points that an object names.
    private func set(_ index: Int, _ params: Int?, _ origin: ThingsBoardCommand.Origin, now: Moment) -> [FormEffect] {
        var assignments: [MeasurepointSet.Assignment] = []
        var name = params.flatMap { scanner.first(in: $0) }
        if let params, scanner[params].kind != .object { name = nil }
        while let node = name, let params {
            let point = scanner.string(node) ?? ""
            guard let value = MeasurepointSet.Scalar(scanner, node + 1) else {
                return refused(devices[index].name, origin, "the value of \(point) is not a boolean, a number or a text")
            }
            assignments.removeAll { $0.point == point }
            assignments.append(.init(point: point, value: value))
            name = scanner.next(after: node + 1, in: params)
        }
        guard !assignments.isEmpty else { return refused(devices[index].name, origin, "params names no point") }
        return set(index, assignments, origin, now: now)
    }

    private func set(
        _ index: Int, _ assignments: [MeasurepointSet.Assignment], _ origin: ThingsBoardCommand.Origin, now: Moment
    ) -> [FormEffect] {
        let device = devices[index]
        if let readOnly = assignments.first(where: { device.points[$0.point]?.isWritable == false }) {
            return refused(device.name, origin, "\(readOnly.point) cannot be written")
        }
        guard let topic = DeviceTopic.measurepointSet.name(of: device.identifier) else { return [] }
        let command = ThingsBoardCommand(device: device.name, origin: origin)
        return send(topic.text, "thing.service.measurepoint.set", command, now: now) { $0.assignments(assignments) }
    }

    private func send(
        _ topic: String, _ method: String, _ command: ThingsBoardCommand, now: Moment, params: (inout JSONWriter) -> Void
    ) -> [FormEffect] {
        lastCommand &+= 1
        let envelope = LocalCommand(identifier: "thingsboard-\(lastCommand)", method: method)
        let key = PendingCommands<ThingsBoardCommand>.Key(topic: Array("\(topic)_reply".utf8), identifier: envelope.identifierJSON)
        guard commands.insert(key, command, deadline: now.monotonic + configuration.commandTimeout) else {
            return refused(command.device, command.origin, "too many commands wait for their answers")
        }
        return [.publishLocal(FormPublish(topic: topic, payload: envelope.payload(params: params)))]
    }

    // MARK: Answers

    /// A device's answer to a command.
    func answered(_ message: Message) -> [FormEffect] {
        guard commands.count > 0, let answer = message.withPayload({ LocalAnswer($0, scanner: &scanner) }),
            let command = commands.take(.init(topic: message.withTopic { Array($0) }, identifier: answer.identifier))
        else { return [] }
        guard answer.code == ReplyCode.success.rawValue else {
            return refused(
                command.device, command.origin, answer.message.isEmpty ? "refused with code \(answer.code)" : answer.message,
                code: answer.code)
        }
        guard case .call(let identifier, let returnsData) = command.origin else { return [] }
        let publish = self.answer(command.device, identifier) { writer in
            if returnsData, !answer.data.isEmpty {
                answer.data.withUnsafeBytes { writer.raw($0) }
            } else {
                writer.beginObject()
                writer.name("success")
                writer.bool(true)
                writer.endObject()
            }
        }
        return [.publishUpstream(publish)]
    }

    func timedOut(_ command: ThingsBoardCommand) -> [FormEffect] {
        refused(command.device, command.origin, "\(command.device) did not answer in time")
    }

    /// A command that came to nothing: the caller is told, or the log if there is none.
    private func refused(_ device: String, _ origin: ThingsBoardCommand.Origin, _ reason: String, code: Int? = nil) -> [FormEffect] {
        switch origin {
        case .call(let identifier, _): [.publishUpstream(failure(device, identifier, code: code, reason))]
        case .attributes(let names): [.warn("shared attributes of \(device) (\(names)) could not be written: \(reason)")]
        }
    }

    private func failure(_ device: String, _ identifier: [UInt8], code: Int?, _ reason: String) -> FormPublish {
        answer(device, identifier) { writer in
            writer.beginObject()
            writer.name("error")
            writer.string(reason)
            if let code {
                writer.name("code")
                writer.integer(Int64(code))
            }
            writer.endObject()
        }
    }

    /// `{"device":…,"id":…,"data":…}`
    private func answer(_ device: String, _ identifier: [UInt8], _ data: (inout JSONWriter) -> Void) -> FormPublish {
        publish(Topic.rpc) { writer in
            writer.name("device")
            writer.string(device)
            writer.name("id")
            identifier.withUnsafeBytes { writer.raw($0) }
            writer.name("data")
            data(&writer)
        }
    }

    // MARK: Shared attributes

    /// `{"device":…,"data":{…}}`: attributes that have been changed, or, as an array called `deleted`, taken away.
    func attributesChanged(_ payload: UnsafeRawBufferPointer, now: Moment) -> [FormEffect] {
        guard let (device, data) = addressed(payload), let index = index(named: device), scanner[data].kind == .object else { return [] }
        return write(members: data, to: index, onlyChanged: false, now: now)
    }

    /// `{"id":…,"device":…,"values":{…}}`, or `value` alone if one was asked for.
    func attributesAnswered(_ payload: UnsafeRawBufferPointer, now: Moment) -> [FormEffect] {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return []
        }
        guard let number = scanner.integer("id", of: JSONScanner.root),
            let keys = attributeRequests.removeValue(forKey: number),
            let index = scanner.member("device", of: JSONScanner.root).flatMap({ scanner.string($0) }).flatMap({ self.index(named: $0) })
        else { return [] }
        if let values = scanner.member("values", of: JSONScanner.root), scanner[values].kind == .object {
            return write(members: values, to: index, onlyChanged: true, now: now)
        }
        guard keys.count == 1, let node = scanner.member("value", of: JSONScanner.root) else { return [] }
        return write([(keys[0], node)], to: index, onlyChanged: true, now: now)
    }

    private func write(members object: Int, to index: Int, onlyChanged: Bool, now: Moment) -> [FormEffect] {
        var values: [(name: String, node: Int)] = []
        var name = scanner.first(in: object)
        while let node = name {
            if let text = scanner.string(node) { values.append((name: text, node: node + 1)) }
            name = scanner.next(after: node + 1, in: object)
        }
        return write(values, to: index, onlyChanged: onlyChanged, now: now)
    }

    /// Sets the points among attributes; what is no writable point is an attribute of ThingsBoard's own.
    private func write(_ values: [(name: String, node: Int)], to index: Int, onlyChanged: Bool, now: Moment) -> [FormEffect] {
        var assignments: [MeasurepointSet.Assignment] = []
        for (name, node) in values where devices[index].isWritable(name) {
            guard let value = MeasurepointSet.Scalar(scanner, node) else { continue }
            if onlyChanged, let known = devices[index].latest[name], value.isEqual(to: known) { continue }
            assignments.removeAll { $0.point == name }
            assignments.append(.init(point: name, value: value))
        }
        guard !assignments.isEmpty else { return [] }
        return set(index, assignments, .attributes(assignments.map(\.point).joined(separator: ", ")), now: now)
    }

    /// The device and the data of a message to it. The scanner holds the message afterwards.
    private func addressed(_ payload: UnsafeRawBufferPointer) -> (device: String, data: Int)? {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return nil
        }
        guard let device = scanner.member("device", of: JSONScanner.root).flatMap({ scanner.string($0) }),
            let data = scanner.member("data", of: JSONScanner.root)
        else { return nil }
        return (device, data)
    }
}

extension MeasurepointSet.Scalar {
    /// Whether a told value is the same one; 1 and 1.0 are.
    fileprivate func isEqual(to value: DevicePost.Value) -> Bool {
        switch (self, value) {
        case (.bool(let a), .bool(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        default: number.flatMap { own in value.number.map { $0 == own } } ?? false
        }
    }

    private var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        case .bool, .string: nil
        }
    }
}

extension DevicePost.Value {
    fileprivate var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        case .null, .bool, .string, .json: nil
        }
    }
}
