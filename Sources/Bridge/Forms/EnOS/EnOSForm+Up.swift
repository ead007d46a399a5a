import Core
import Payload

// What devices say, on its way to the platform.

extension EnOSForm {
    /// nil while the device of the first message is on its way to be logged in.
    func send(_ messages: [FormInput], maximumBytes: Int) -> FormBatch? {
        let first = messages[0].message
        if first.isReport(at: reportTopic) { return FormBatch(publishes: lossEvent(first).map { [$0] } ?? [], count: 1) }
        guard let parts = first.withTopic({ DeviceTopicParts($0) }),
            let device = first.withTopic({ parts.device(in: $0) }),
            let topic = first.withTopic({ EnOSTopic(tail: UnsafeRawBufferPointer(rebasing: $0[parts.tail])) })
        else { return FormBatch(publishes: [], count: 1) }
        switch topic {
        case .measurepoints(let isHistory):
            return posts(messages, of: device, isHistory: isHistory || messages[0].isBackfill, maximumBytes: maximumBytes)
        case .measurepointBatch(let isHistory):
            return pass(device, first) {
                // A device's own batch that has waited is history as a whole.
                guard messages[0].isBackfill, !isHistory else { return (first.topic, first.payload) }
                return (
                    "/sys/\(device.productKey)/\(device.deviceKey)/thing/measurepoint/resume/batch",
                    self.renamed(first.payload, method: "thing.measurepoint.resume.batch")
                )
            }
        case .request, .raw:
            return pass(device, first) { (first.topic, first.payload) }
        case .reply, .command, .rawCommand, .lifeCycle, .rrpc, .notice, .answer:
            // Commands go down, and their answers take a way of their own.
            return FormBatch(publishes: [], count: 1)
        }
    }

    /// Whether messages of a device wait for its login, go by themselves, or need the gateway's topic.
    private enum Way { case wait, own, gateway }

    private func way(of device: DeviceIdentifier) -> Way {
        if device == gateway { return .own }
        switch sessions.state(of: device) {
        case .online: return .own
        case .loggingIn: return .wait
        case .offline: return sessions.hasRoom(configuration.maximumOnline) ? .wait : .gateway
        case .refused, .disabled, nil: return .gateway
        }
    }

    /// A message that goes up as it is, which only a device that is logged in may send.
    private func pass(
        _ device: DeviceIdentifier, _ message: Message, _ make: () -> (topic: String, payload: [UInt8])
    ) -> FormBatch? {
        switch way(of: device) {
        case .wait: return nil
        case .own:
            let made = make()
            return FormBatch(publishes: [publish(made.topic, made.payload, qos: .atLeastOnce)], count: 1)
        case .gateway:
            return FormBatch(publishes: [], count: 1)
        }
    }

    private func posts(
        _ messages: [FormInput], of device: DeviceIdentifier, isHistory: Bool, maximumBytes: Int
    ) -> FormBatch? {
        let way = configuration.batchSize > 1 ? Way.gateway : self.way(of: device)
        if way == .wait { return nil }
        guard let points = measurepoints(messages[0].message) else { return FormBatch(publishes: [], count: 1) }
        if way == .own {
            let identifier = nextIdentifier()
            let made = publish(
                "/sys/\(device.productKey)/\(device.deviceKey)/thing/measurepoint/\(isHistory ? "resume" : "post")",
                points.post(identifier: identifier, isHistory: isHistory), qos: .atLeastOnce)
            unanswered.insert(identifier, EnOSUnanswered.Post(device: device, publish: made))
            return FormBatch(publishes: [made], count: 1)
        }
        var batch = EnOSMeasurepoints.Batch()
        batch.append(points, of: device)
        let topic =
            "/sys/\(gateway.productKey)/\(gateway.deviceKey)/thing/measurepoint/\(isHistory ? "resume" : "post")/batch"
        let limit = min(maximumBytes - topic.utf8.count - 16, Self.maximumPayload)
        for input in messages.dropFirst() {
            guard batch.count < configuration.batchSize, let next = post(input, isHistory: isHistory) else { break }
            guard batch.byteCount + EnOSMeasurepoints.Batch.byteCount(of: next.points, next.device) <= limit else { break }
            batch.append(next.points, of: next.device)
        }
        let payload = batch.payload(identifier: nextIdentifier(), isHistory: isHistory)
        return FormBatch(publishes: [publish(topic, payload, qos: .atLeastOnce)], count: batch.count)
    }

    /// A message that can join a batch of live posts, or of history.
    private func post(_ input: FormInput, isHistory: Bool) -> (device: DeviceIdentifier, points: EnOSMeasurepoints)? {
        let message = input.message
        guard let parts = message.withTopic({ DeviceTopicParts($0) }),
            let device = message.withTopic({ parts.device(in: $0) }),
            case .measurepoints(let isResume)? = message.withTopic({
                EnOSTopic(tail: UnsafeRawBufferPointer(rebasing: $0[parts.tail]))
            }),
            (isResume || input.isBackfill) == isHistory, let points = measurepoints(message)
        else { return nil }
        return (device, points)
    }

    private func measurepoints(_ message: Message) -> EnOSMeasurepoints? {
        message.withPayload {
            EnOSMeasurepoints(
                payload: $0, publishedAt: message.publishedAt, sendsQuality: configuration.sendsQuality, scanner: &scanner)
        }
    }

    /// The event of the gateway's own that its model has for what the box reports of losses.
    static let lossEvent = "cacheLost"

    /// A report as that event: its members are the outputs, and the time is its own.
    private func lossEvent(_ report: Message) -> FormPublish? {
        report.withPayload { payload in
            do throws(JSONError) { try scanner.scan(payload) } catch { return nil }
            guard scanner[JSONScanner.root].kind == .object else { return nil }
            var writer = JSONWriter()
            writer.beginObject()
            writer.name("events")
            writer.beginObject()
            copyMembers(except: "time", to: &writer)
            writer.endObject()
            writer.name("time")
            writer.integer(report.publishedAt.milliseconds)
            writer.endObject()
            let opening = EnOSMeasurepoints.opening(nextIdentifier(), method: "thing.event.\(Self.lossEvent).post")
            let payload = opening + Array(",\"params\":".utf8) + writer.finish() + Array("}".utf8)
            return publish(
                "/sys/\(gateway.productKey)/\(gateway.deviceKey)/thing/event/\(Self.lossEvent)/post", payload, qos: .atLeastOnce)
        }
    }

    /// The members of the object that was scanned last, but for one.
    private func copyMembers(except left: String, to writer: inout JSONWriter) {
        var name = scanner.first(in: JSONScanner.root)
        while let node = name {
            if scanner.string(node) != left {
                writer.name(json: scanner.raw(node))
                writer.raw(scanner.raw(node + 1))
            }
            name = scanner.next(after: node + 1, in: JSONScanner.root)
        }
    }

    /// An envelope with another method; what is no envelope stays as it is.
    private func renamed(_ payload: [UInt8], method: String) -> [UInt8] {
        payload.withUnsafeBytes { bytes in
            do throws(JSONError) {
                try scanner.scan(bytes)
            } catch {
                return payload
            }
            var writer = JSONWriter()
            guard scanner[JSONScanner.root].kind == .object else { return payload }
            writer.beginObject()
            copyMembers(except: "method", to: &writer)
            writer.name("method")
            writer.string(method)
            writer.endObject()
            return writer.finish()
        }
    }
}
