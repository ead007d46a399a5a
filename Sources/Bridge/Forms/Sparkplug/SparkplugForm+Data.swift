import Core
import Payload
import Store

// What waited in the cache, as data of the node and its devices.

extension SparkplugForm {
    /// A value on its way. What it is on the wire is decided when the whole run is known: a later one may widen the type.
    private struct Datum {
        var tag: Int
        var item: DevicePost.Item
        var time: Timestamp
        var isTimeUncertain: Bool
        var isHistorical: Bool
    }

    /// What a run of messages comes to.
    private struct Run {
        /// By the device's place, in the order in which the devices were first met.
        var devices: [(index: Int, data: [Datum])] = []
        private var places: [Int: Int] = [:]
        var node: [SparkplugMetric] = []
        /// About as many as the payloads will have.
        var bytes = 0

        mutating func touch(_ index: Int) -> Int {
            if let place = places[index] { return place }
            places[index] = devices.count
            devices.append((index, []))
            return devices.count - 1
        }
    }

    /// Takes as many messages as fit into one PUBLISH, whichever devices they are of. What needs a birth has it before its
    /// data; a device that is lost has its death after them.
    func data(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch {
        // A clock that was set back makes no history of what comes now.
        bornAt = min(bornAt, now.wall)
        var run = Run()
        var count = 0
        for input in messages {
            if count > 0, run.bytes + 2 * input.message.payloadLength > maximumBytes { break }
            take(input, into: &run)
            count += 1
        }
        let metrics = run.devices.map { index, data in data.map { metric($0, device: index) } }
        var publishes: [FormPublish] = []
        if needsNodeBirth { publishes += births(now: now) }
        if !run.node.isEmpty { publishes += split(run.node, topic("NDATA"), maximumBytes, now: now) }
        for ((index, _), metrics) in zip(run.devices, metrics) {
            if !metrics.isEmpty {
                if !devices[index].isBorn { publishes.append(birth(index, now: now)) }
                publishes += split(metrics, "\(topic("DDATA"))/\(devices[index].name)", maximumBytes, now: now)
            }
            if devices[index].isBorn, devices[index].presence.isLost { publishes.append(death(ofDevice: index, now: now)) }
        }
        return FormBatch(publishes: publishes, count: count)
    }

    private func metric(_ datum: Datum, device index: Int) -> SparkplugMetric {
        let state = devices[index].tags[datum.tag].state(of: datum.item, time: datum.time, isTimeUncertain: datum.isTimeUncertain)
        devices[index].tags[datum.tag].keep(state)
        return devices[index].tags[datum.tag].datum(state, isHistorical: datum.isHistorical)
    }

    private func take(_ input: FormInput, into run: inout Run) {
        let hasWaited = input.isBackfill || input.message.publishedAt < bornAt
        switch reader.read(input.message) {
        case .nothing: return
        case .other: takeOther(input, isHistorical: hasWaited, into: &run)
        case .posts(let posts):
            for post in posts {
                take(post, isHistorical: hasWaited || post.isHistory, isTimeUncertain: input.isUncertain(post.time), into: &run)
            }
        }
    }

    private func take(_ post: DevicePost, isHistorical: Bool, isTimeUncertain: Bool, into run: inout Run) {
        guard let index = index(of: post.device) else { return }
        let wasLost = devices[index].presence.isLost
        devices[index].presence.take(post)
        let place = run.touch(index)
        // That a device is still lost is no news.
        if wasLost, devices[index].presence.isLost, !isHistorical, post.items.allSatisfy(\.isUnreachable) { return }
        for item in post.items {
            let name = name(of: item, in: post.kind)
            let access: SparkplugTag.Access = post.kind == .measurepoints ? .writable : .readOnly
            guard let tag = tag(name, of: item.value, access: access, device: index) else { continue }
            run.devices[place].data.append(
                Datum(tag: tag, item: item, time: post.time, isTimeUncertain: isTimeUncertain, isHistorical: isHistorical))
            run.bytes += 64 + (item.value.text?.utf8.count ?? 0)
        }
    }

    /// Points by their identifiers; the rest in folders of their own.
    private func name(of item: DevicePost.Item, in kind: DevicePost.Kind) -> String {
        switch kind {
        case .measurepoints: item.name
        case .attributes: "Attributes/\(item.name)"
        case .event(let event): "Events/\(event)/\(item.name)"
        }
    }

    /// A message of another topic is a metric of the node, called as the topic.
    private func takeOther(_ input: FormInput, isHistorical: Bool, into run: inout Run) {
        let message = input.message
        let name = message.withTopic { topic in
            String(decoding: topic.first == UInt8(ascii: "/") ? UnsafeRawBufferPointer(rebasing: topic.dropFirst()) : topic, as: UTF8.self)
        }
        let payload = message.payload
        var value: SparkplugWireValue = String(validating: payload, as: UTF8.self).map { .string($0) } ?? .bytes(payload)
        guard let tag = nodeTag(name, of: value) else { return }
        switch (nodeTags[tag].type, value) {
        case (.bytes, .string): value = .bytes(payload)
        // It was text until now; these bytes have no place there.
        case (.string, .bytes): return tell("bytes \(name)", "\(name) was text, and is no longer; it is left out")
        default: break
        }
        let state = SparkplugTag.State(
            value: value, quality: .good, time: message.publishedAt, isTimeUncertain: input.isTimeUncertain)
        nodeTags[tag].keep(state)
        let metric = nodeTags[tag].datum(state, isHistorical: isHistorical)
        run.node.append(metric)
        run.bytes += metric.approximateBytes
    }

    /// One or more messages, none much longer than `maximumBytes` unless one metric is.
    private func split(_ metrics: [SparkplugMetric], _ topic: String, _ maximumBytes: Int, now: Moment) -> [FormPublish] {
        var publishes: [FormPublish] = []
        var start = 0
        var bytes = topic.utf8.count + 64
        for (index, metric) in metrics.enumerated() {
            let size = metric.approximateBytes
            if index > start, bytes + size > maximumBytes {
                publishes.append(publish(topic, Array(metrics[start..<index]), now: now))
                start = index
                bytes = topic.utf8.count + 64
            }
            bytes += size
        }
        publishes.append(publish(topic, Array(metrics[start...]), now: now))
        return publishes
    }
}

extension SparkplugMetric {
    /// No fewer than a data message takes for it.
    fileprivate var approximateBytes: Int {
        let content =
            switch value {
            case .string(let text): text.utf8.count
            case .bytes(let bytes), .dataSet(let bytes), .template(let bytes), .extension(let bytes): bytes.count
            default: 0
            }
        return 64 + content + properties.reduce(0) { sum, property in
            guard case .string(let text) = property.value else { return sum + 32 }
            return sum + 32 + text.utf8.count
        }
    }
}
