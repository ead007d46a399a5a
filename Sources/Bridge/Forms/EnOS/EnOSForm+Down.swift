import Core
import MQTTCodec
import Payload
import Store

// What the platform says: answers to the devices, and commands for them.

/// A command that waits for a device's answer.
struct EnOSCommand {
    var identifier: MessageIdentifier
    /// Whether answers are bytes, or an envelope.
    var isRaw: Bool
    /// What of, for the log.
    var tail: String
}

extension EnOSForm {
    /// What is to be done about a message of the platform; nil if it is none.
    func take(_ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer, _ now: Moment) -> [FormEffect]? {
        guard configuration.compression == .gzip, Gzip.isGzip(payload) else { return open(topic, payload, now) }
        guard DeviceTopicParts(topic) != nil || DeviceTopicParts(topic, prefix: "/ext/session/") != nil else { return nil }
        do throws(GzipError) {
            let plain = try Gzip.decompress(payload, limit: Self.maximumPayload)
            return plain.withUnsafeBytes { open(topic, $0, now) }
        } catch {
            return log.warn("gzip", "EnOS sent a payload that cannot be taken: \(error)")
        }
    }

    private func open(_ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer, _ now: Moment) -> [FormEffect]? {
        if let parts = DeviceTopicParts(topic, prefix: "/ext/session/") {
            return session(String(decoding: topic[parts.tail], as: UTF8.self), topic, payload, now)
        }
        guard let parts = DeviceTopicParts(topic), let device = parts.device(in: topic) else { return nil }
        let tail = UnsafeRawBufferPointer(rebasing: topic[parts.tail])
        guard let kind = EnOSTopic(tail: tail) else { return [] }
        let name = String(decoding: tail, as: UTF8.self)
        let text = String(decoding: topic, as: UTF8.self)
        switch kind {
        case .reply:
            return answered(device, name, text, payload, now)
        case .command:
            return command(name, text, replyTopic: text + "_reply", payload, isRaw: false, within: configuration.commandTimeout, now)
        case .rawCommand:
            return command(name, text, replyTopic: text + "_reply", payload, isRaw: true, within: configuration.commandTimeout, now)
        case .rrpc:
            let response = text.replacing("/rrpc/request/", with: "/rrpc/response/", maxReplacements: 1)
            return command(name, text, replyTopic: response, payload, isRaw: false, within: configuration.rrpcTimeout, now)
        case .lifeCycle:
            sessions.setDisabled(name != "thing/enable", device)
            let identifier = self.identifier(of: payload)
            return [
                local(text, payload), .publishUpstream(reply(text + "_reply", identifier, .success)),
            ] + logins(now: now)
        case .notice:
            return [local(text, payload)]
        case .measurepoints, .measurepointBatch, .request, .raw, .answer:
            // Our own, if the upstream is an ordinary broker.
            return []
        }
    }

    private func session(
        _ tail: String, _ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer, _ now: Moment
    ) -> [FormEffect] {
        switch tail {
        case "combine/login_reply", "combine/login/batch_reply":
            return loginAnswered(payload, now: now)
        case "combine/enable", "combine/disable", "combine/delete":
            let topic = String(decoding: topic, as: UTF8.self)
            return lifeCycle(String(tail.dropFirst("combine/".count)), payload, replyTopic: topic + "_reply", now: now)
        case EnOSActivation.tail:
            return activated(payload, replyTopic: String(decoding: topic, as: UTF8.self) + "_reply", now: now)
        default:
            return []
        }
    }

    // MARK: Answers to what went up

    private func answered(
        _ device: DeviceIdentifier, _ tail: String, _ topic: String, _ payload: UnsafeRawBufferPointer, _ now: Moment
    ) -> [FormEffect] {
        let what = String(tail.dropLast("_reply".count))
        let isPost = EnOSForm.isPost(what)
        var effects: [FormEffect] = []
        // The device itself has asked for everything else.
        if !isPost { effects.append(local(topic, payload)) }
        guard let answer = LocalAnswer(payload, scanner: &scanner) else { return effects }
        let post = isPost ? answer.number.flatMap { unanswered.take($0) } : nil
        guard answer.code != EnOSCode.success else { return effects }
        effects += refused(what, code: answer.code, message: answer.message)
        guard EnOSCode.meansLoggedOut(answer.code) else { return effects }
        if sessions.loggedOut(device, now: now.monotonic) { effects += logins(now: now) }
        if let post, let number = answer.number, post.device != gateway, sessions.state(of: post.device) != nil {
            _ = unanswered.keep(number, post)
            // Another post may have told of it before, and the login be there again.
            if sessions.state(of: post.device) == .online {
                effects += unanswered.takeResendable { $0 == post.device }.map(FormEffect.publishUpstream)
            }
        }
        return effects
    }

    private static func isPost(_ tail: String) -> Bool {
        switch tail {
        case "thing/measurepoint/post", "thing/measurepoint/resume", "thing/measurepoint/post/batch",
            "thing/measurepoint/resume/batch":
            true
        default: false
        }
    }

    // MARK: Commands

    private func command(
        _ tail: String, _ topic: String, replyTopic: String, _ payload: UnsafeRawBufferPointer, isRaw: Bool,
        within time: Duration, _ now: Moment
    ) -> [FormEffect] {
        let identifier = isRaw ? MessageIdentifier.absent : self.identifier(of: payload)
        let key = PendingCommands<EnOSCommand>.Key(
            topic: Array(replyTopic.utf8), identifier: EnOSForm.isRRPC(tail) || isRaw ? [] : identifier.json)
        let command = EnOSCommand(identifier: identifier, isRaw: isRaw, tail: tail)
        guard commands.insert(key, command, deadline: now.monotonic + time) else {
            if isRaw { return [] }
            return [
                .publishUpstream(
                    reply(
                        replyTopic, identifier, ReplyCode(rawValue: EnOSCode.tooMany),
                        message: "too many commands wait for their answers"))
            ]
        }
        return [local(topic, payload)]
    }

    private static func isRRPC(_ tail: String) -> Bool { tail.hasPrefix("rrpc/") }

    func timedOut(_ key: PendingCommands<EnOSCommand>.Key, _ command: EnOSCommand) -> [FormEffect] {
        let warning = log.warn("unanswered \(command.tail)", "nobody here answers \(command.tail)")
        if command.isRaw { return warning }
        let answer = reply(
            String(decoding: key.topic, as: UTF8.self), command.identifier, ReplyCode(rawValue: EnOSCode.localTimeout),
            message: "no answer in time")
        return [.publishUpstream(answer)] + warning
    }

    /// A device's answer, if it is one that somebody waits for.
    func answer(_ message: Message) -> [FormEffect] {
        guard isConnected, commands.count > 0 else { return [] }
        let topic = message.withTopic { Array($0) }
        var key = PendingCommands<EnOSCommand>.Key(topic: topic, identifier: [])
        if !commands.contains(key) {
            key.identifier = message.withPayload { identifier(of: $0) }.json
        }
        // What nobody waits for any more is late: the platform was told so.
        guard commands.take(key) != nil else { return [] }
        let isValues = topic.withUnsafeBytes { DeviceTopic.parse($0)?.topic } == .measurepointGetReply
        let payload = isValues ? message.withPayload { EnOSMeasurepoints.plain(reply: $0, scanner: &scanner) } : message.payload
        return [.publishUpstream(FormPublish(topic: topic, payload: sealed(payload), qos: .atMostOnce))]
    }

    private func identifier(of payload: UnsafeRawBufferPointer) -> MessageIdentifier {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return .absent
        }
        return MessageIdentifier.of(scanner)
    }

    private func local(_ topic: String, _ payload: UnsafeRawBufferPointer) -> FormEffect {
        .publishLocal(FormPublish(topic: topic, payload: Array(payload)))
    }
}
