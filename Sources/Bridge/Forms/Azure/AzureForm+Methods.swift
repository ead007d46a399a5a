import Core
import Payload
import Store

// Direct methods: a command to a device here, and its answer.
//
//     set  {"product":"meter","device":"m1","params":{"setpoint":21.5}}
//       ──> /sys/meter/m1/thing/service/measurepoint/set ──> 200 {"code":200,"message":"","data":{}}

extension AzureForm {
    func method(_ name: String, _ request: String, _ payload: UnsafeRawBufferPointer, _ now: Moment) -> [FormEffect] {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return [methodAnswer(request, code: ReplyCode.notJSON.rawValue, message: "the payload is not JSON: \(error)")]
        }
        guard let product = text("product"), let device = text("device"), DeviceTopic.isKey(product), DeviceTopic.isKey(device)
        else {
            return [
                methodAnswer(
                    request, code: ReplyCode.valueDoesNotFitModel.rawValue,
                    message: "the payload must have product and device, and params for what the method takes")
            ]
        }
        let service = name == "set" || name == "get" ? "measurepoint/\(name)" : name
        guard DeviceTopic.isKey(name), !name.hasSuffix("_reply") else {
            return [methodAnswer(request, code: ReplyCode.noHandler.rawValue, message: "there is no such method")]
        }
        lastMethod &+= 1
        let envelope = LocalCommand(
            identifier: "\(self.name)-method-\(lastMethod)",
            method: "thing.service.\(service == name ? name : "measurepoint.\(name)")")
        let topic = "/sys/\(product)/\(device)/thing/service/\(service)"
        let params = scanner.member("params", of: JSONScanner.root).map { scanner.raw($0) }
        let command = envelope.payload { writer in
            if let params {
                writer.raw(params)
            } else if name == "get" {
                // All points.
                writer.beginArray()
                writer.endArray()
            } else {
                writer.beginObject()
                writer.endObject()
            }
        }
        let key = PendingCommands<String>.Key(topic: Array("\(topic)_reply".utf8), identifier: envelope.identifierJSON)
        guard methods.insert(key, request, deadline: now.monotonic + configuration.commandTimeout) else {
            return [methodAnswer(request, code: DesiredPoints.busyCode, message: "too many commands wait for their answers")]
        }
        return [.publishLocal(FormPublish(topic: topic, payload: command))]
    }

    private func text(_ name: StaticString) -> String? {
        scanner.member(name, of: JSONScanner.root).flatMap { scanner.string($0) }
    }

    func methodAnswered(_ message: Message) -> [FormEffect] {
        guard methods.count > 0, let answer = message.withPayload({ LocalAnswer($0, scanner: &scanner) }),
            let request = methods.take(.init(topic: message.withTopic { Array($0) }, identifier: answer.identifier))
        else { return [] }
        return [methodAnswer(request, code: answer.code, message: answer.message, data: answer.data)]
    }

    func methodAnswer(_ request: String, code: Int, message: String, data: [UInt8] = []) -> FormEffect {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("code")
        writer.integer(Int64(code))
        writer.name("message")
        writer.string(message)
        if !data.isEmpty {
            writer.name("data")
            data.withUnsafeBytes { writer.raw($0) }
        }
        writer.endObject()
        return .publishUpstream(
            FormPublish(
                topic: "$iothub/methods/res/\(Self.status(code))/?$rid=\(request)", payload: writer.finish(), qos: .atMostOnce))
    }

    /// A device's code as a status that a caller of the hub understands.
    static func status(_ code: Int) -> Int {
        switch code {
        case 200, DesiredPoints.busyCode, DesiredPoints.timeoutCode: code
        case ReplyCode.noHandler.rawValue: 404
        case ReplyCode.valueDoesNotFitModel.rawValue, ReplyCode.notJSON.rawValue, ReplyCode.empty.rawValue,
            ReplyCode.methodMismatch.rawValue:
            400
        default: 500
        }
    }
}
