import Core
import Payload

// What waited in the cache, as telemetry and attributes.

extension ThingsBoardForm {
    /// Where a message's values go.
    private enum Target: Equatable {
        case telemetry
        case attributes
        /// The gateway's own telemetry.
        case own
    }

    /// What a run of messages of one target comes to.
    private struct Run {
        var target: Target?
        /// By the device's place, in the order in which the devices were first met: elements or members, as JSON.
        var devices: [(index: Int, json: [UInt8])] = []
        private var places: [Int: Int] = [:]
        var own: [UInt8] = []
        var bytes = 0

        /// Whether there is room for values of these devices.
        func takes(_ indices: Set<Int>, limit: Int) -> Bool {
            devices.isEmpty || devices.count + indices.count(where: { places[$0] == nil }) <= limit
        }

        mutating func append(_ json: [UInt8], device index: Int) {
            guard !json.isEmpty else { return }
            bytes += json.count + 1
            if let place = places[index] {
                devices[place].json.append(UInt8(ascii: ","))
                devices[place].json += json
            } else {
                places[index] = devices.count
                devices.append((index, json))
            }
        }

        mutating func append(own json: [UInt8]) {
            bytes += json.count + 1
            if !own.isEmpty { own.append(UInt8(ascii: ",")) }
            own += json
        }
    }

    /// Takes as many messages as go to one topic and fit into one PUBLISH.
    func values(_ messages: [FormInput], maximumBytes: Int) -> FormBatch {
        var run = Run()
        var count = 0
        for input in messages {
            if count > 0, run.bytes + 2 * input.message.payloadLength + 256 > maximumBytes { break }
            guard take(input, into: &run) else { break }
            count += 1
        }
        return FormBatch(publishes: publishes(run), count: count)
    }

    /// - Returns: false if the message belongs to another batch; never for the first one.
    private func take(_ input: FormInput, into run: inout Run) -> Bool {
        switch reader.read(input.message) {
        case .nothing: return true
        case .other:
            guard run.target == nil || run.target == .own else { return false }
            run.target = .own
            run.append(own: own(input))
            return true
        case .posts(let posts):
            let target: Target = posts[0].kind == .attributes ? .attributes : .telemetry
            guard run.target == nil || run.target == target else { return false }
            let known = posts.compactMap { post in index(of: post.device).map { (index: $0, post: post) } }
            guard run.takes(Set(known.map { $0.index }), limit: configuration.devicesPerMessage) else { return false }
            run.target = target
            for (index, post) in known {
                devices[index].take(post)
                let isTimeUncertain = input.isUncertain(post.time)
                run.append(
                    target == .attributes ? members(post.items, of: post) : element(post, isTimeUncertain: isTimeUncertain),
                    device: index)
            }
            return true
        }
    }

    /// `{"ts":…,"values":{…}}`; empty if there is no value.
    private func element(_ post: DevicePost, isTimeUncertain: Bool) -> [UInt8] {
        var values = members(post.items, of: post)
        guard !values.isEmpty else { return [] }
        if case .event(let event) = post.kind {
            // The event is one value, an object of its outputs.
            var writer = JSONWriter()
            writer.name(event)
            values = writer.finish() + [UInt8(ascii: "{")] + values + [UInt8(ascii: "}")]
        }
        if configuration.sendsQuality, isTimeUncertain { values += Array(",\"\(Self.uncertain)\":true".utf8) }
        return Array("{\"ts\":\(post.time.milliseconds),\"values\":{".utf8) + values + Array("}}".utf8)
    }

    /// The value that says of the others that their time is wrong by nobody knows how much.
    private static let uncertain = "time.uncertain"

    /// `"name":value,…`. ThingsBoard refuses null, so that a point without a value is left out.
    private func members(_ items: [DevicePost.Item], of post: DevicePost) -> [UInt8] {
        var writer = JSONWriter()
        for item in items {
            if item.value != .null {
                writer.name(item.name)
                writer.value(item.value)
            }
            if configuration.sendsQuality, post.kind == .measurepoints {
                writer.name("\(item.name).quality")
                writer.integer(Int64(item.quality ?? QualityDigit.good))
                if let reason = item.reason {
                    writer.name("\(item.name).reason")
                    writer.string(reason)
                }
            }
        }
        return writer.finish()
    }

    /// A message of another topic, as a value that is called as the topic: JSON as it is, everything else as text.
    private func own(_ input: FormInput) -> [UInt8] {
        input.message.withParts { topic, _, payload in
            var writer = JSONWriter()
            writer.beginObject()
            writer.name("ts")
            writer.integer(input.message.publishedAt.milliseconds)
            writer.name("values")
            writer.beginObject()
            writer.name(utf8: topic.first == UInt8(ascii: "/") ? UnsafeRawBufferPointer(rebasing: topic.dropFirst()) : topic)
            var isJSON = true
            do throws(JSONError) {
                try scanner.scan(payload)
            } catch {
                isJSON = false
            }
            if isJSON, scanner[JSONScanner.root].kind != .null {
                writer.raw(scanner.raw(JSONScanner.root))
            } else {
                writer.string(utf8: payload)
            }
            if configuration.sendsQuality, input.isTimeUncertain {
                writer.name(Self.uncertain)
                writer.bool(true)
            }
            writer.endObject()
            writer.endObject()
            return writer.finish()
        }
    }

    /// First the devices that ThingsBoard does not know of yet, last the values: their acknowledgement is that of the run.
    private func publishes(_ run: Run) -> [FormPublish] {
        if !run.own.isEmpty {
            return [FormPublish(topic: Topic.ownTelemetry, payload: [UInt8(ascii: "[")] + run.own + [UInt8(ascii: "]")])]
        }
        let (topic, open, close) =
            run.target == .attributes ? (Topic.attributes, "{", "}") : (Topic.telemetry, "[", "]")
        var publishes = run.devices.filter { !devices[$0.index].isConnected }.map { connect($0.index) }
        // A single message with several devices may have more of them than a message of ours.
        for start in stride(from: 0, to: run.devices.count, by: max(1, configuration.devicesPerMessage)) {
            let part = run.devices[start..<min(run.devices.count, start + max(1, configuration.devicesPerMessage))]
            publishes.append(
                publish(topic) { writer in
                    for (index, json) in part {
                        writer.name(devices[index].name)
                        (Array(open.utf8) + json + Array(close.utf8)).withUnsafeBytes { writer.raw($0) }
                    }
                })
        }
        return publishes
    }
}

extension JSONWriter {
    mutating func value(_ value: DevicePost.Value) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .int(let value): integer(value)
        case .uint(let value): integer(value)
        case .double(let value): real(value)
        case .string(let value): string(value)
        case .json(let bytes): bytes.withUnsafeBytes { raw($0) }
        }
    }
}
