import Core
import Payload
import Store

// Logins of the sub-devices: what is asked, and what the platform answers.

extension EnOSForm {
    /// Logs in whoever is due, as far as there is room for them.
    func logins(now: Moment) -> [FormEffect] {
        guard isReady else { return [] }
        let due = sessions.due(now: now.monotonic, maximumOnline: configuration.maximumOnline)
        // A device that failed is tried alone: it keeps no others from being logged in.
        let (alone, together) =
            configuration.loginBatchSize == 1
            ? (due, []) : (due.filter { sessions.devices[$0].failures > 0 }, due.filter { sessions.devices[$0].failures == 0 })
        var effects: [FormEffect] = []
        for start in stride(from: 0, to: together.count, by: max(1, configuration.loginBatchSize)) {
            let part = Array(together[start..<min(start + configuration.loginBatchSize, together.count)])
            effects.append(.publishUpstream(loginBatch(part, now: now)))
        }
        for number in alone { effects.append(.publishUpstream(login(number, now: now))) }
        return effects
    }

    private func login(_ number: Int, now: Moment) -> FormPublish {
        let device = sessions.devices[number]
        let request = nextIdentifier()
        let client = "\(device.identifier.productKey).\(device.identifier.deviceKey)"
        sessions.sent([number], request: request, deadline: now.monotonic + configuration.loginTimeout)
        var writer = loginWriter(request, method: "combine.login")
        writer.beginObject()
        writer.keys(of: device.identifier)
        writeSigning(client, now, to: &writer)
        writer.name("sign")
        writer.string(sign(device, client, now))
        writer.endObject()
        writer.endObject()
        return publish("/ext/session/\(gateway.productKey)/\(gateway.deviceKey)/combine/login", writer.finish())
    }

    /// What a signature is made of beside the device's keys, and how.
    private func writeSigning(_ client: String, _ now: Moment, to writer: inout JSONWriter) {
        writer.name("clientId")
        writer.string(client)
        writer.name("timestamp")
        writer.string("\(now.wall.milliseconds)")
        writer.name("signMethod")
        writer.string(configuration.signMethod.rawValue)
    }

    private func loginBatch(_ numbers: [Int], now: Moment) -> FormPublish {
        let request = nextIdentifier()
        sessions.sent(numbers, request: request, deadline: now.monotonic + configuration.loginTimeout)
        var writer = loginWriter(request, method: "combine.login.batch")
        writer.beginObject()
        writeSigning(clientIdentifier, now, to: &writer)
        writer.name("subDevices")
        writer.beginArray()
        for number in numbers {
            let device = sessions.devices[number]
            writer.beginObject()
            writer.keys(of: device.identifier)
            writer.name("sign")
            writer.string(sign(device, clientIdentifier, now))
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        writer.endObject()
        return publish("/ext/session/\(gateway.productKey)/\(gateway.deviceKey)/combine/login/batch", writer.finish())
    }

    private func loginWriter(_ identifier: UInt64, method: String) -> JSONWriter {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("id")
        writer.quoted(identifier)
        writer.envelope(version: "1.1", method: method)
        return writer
    }

    private func sign(_ device: EnOSSessions.Device, _ client: String, _ now: Moment) -> String {
        EnOSSignature.sign(
            clientIdentifier: client, device: device.identifier, timestamp: now.wall.milliseconds, secret: device.secret,
            method: configuration.signMethod)
    }

    // MARK: Answers

    /// `combine/login_reply` or `combine/login/batch_reply`.
    func loginAnswered(_ payload: UnsafeRawBufferPointer, now: Moment) -> [FormEffect] {
        guard let answer = LocalAnswer(payload, scanner: &scanner), let number = answer.number,
            let devices = sessions.answered(number)
        else { return [] }
        // Of a batch, the answer names who is logged in and who is not.
        let data = scanner.member("data", of: JSONScanner.root)
        let succeeded = data.flatMap { self.devices(named: "loginedSubDevices", of: $0) }
        let failed = data.flatMap { self.devices(named: "failedSubDevices", of: $0) }
        var loggedIn: [DeviceIdentifier] = []
        for device in devices {
            guard case .loggingIn(request: number) = sessions.devices[device].state else { continue }
            let identifier = sessions.devices[device].identifier
            let isLoggedIn: Bool
            if let succeeded {
                isLoggedIn = succeeded.contains(identifier)
            } else {
                isLoggedIn = answer.code == EnOSCode.success && failed?.contains(identifier) != true
            }
            if isLoggedIn {
                sessions.succeeded(device)
                loggedIn.append(identifier)
            } else {
                sessions.failed(device, now: now.monotonic)
            }
        }
        var effects: [FormEffect] = []
        if !loggedIn.isEmpty {
            let devices = Set(loggedIn)
            effects.append(.subscribe(loggedIn.flatMap { deviceSubscriptions($0) }))
            effects += unanswered.takeResendable { devices.contains($0) }.map(FormEffect.publishUpstream)
        }
        if loggedIn.count < devices.count {
            let refused = devices.map { sessions.devices[$0].identifier }.first { !loggedIn.contains($0) }
            let who = refused.map { "the login of \($0)" } ?? "a login"
            effects += self.refused(who, code: answer.code, message: answer.message)
        }
        return effects
    }

    private func devices(named name: StaticString, of data: Int) -> Set<DeviceIdentifier>? {
        guard let list = scanner.member(name, of: data), scanner[list].kind == .array else { return nil }
        return devices(in: list)
    }

    /// `[{"productKey":…,"deviceKey":…}…]`
    func devices(in list: Int) -> Set<DeviceIdentifier> {
        var devices: Set<DeviceIdentifier> = []
        var item = scanner.first(in: list)
        while let node = item {
            if let product = scanner.member("productKey", of: node).flatMap({ scanner.string($0) }),
                let device = scanner.member("deviceKey", of: node).flatMap({ scanner.string($0) })
            {
                devices.insert(DeviceIdentifier(productKey: product, deviceKey: device))
            }
            item = scanner.next(after: node, in: list)
        }
        return devices
    }

    /// `combine/enable`, `disable` or `delete`: the platform says which devices it wants to hear of.
    func lifeCycle(_ verb: String, _ payload: UnsafeRawBufferPointer, replyTopic: String, now: Moment) -> [FormEffect] {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return []
        }
        let identifier = MessageIdentifier.of(scanner)
        let named = scanner.member("params", of: JSONScanner.root).map { devices(in: $0) } ?? []
        let affected = named.filter { DeviceTopic.isKey($0.productKey) && DeviceTopic.isKey($0.deviceKey) }
            .sorted { $0.description < $1.description }
        var effects: [FormEffect] = []
        for device in affected {
            sessions.setDisabled(verb != "enable", device)
            var local = loginWriter(nextIdentifier(), method: "thing.\(verb)")
            local.beginObject()
            local.endObject()
            local.endObject()
            effects.append(
                .publishLocal(
                    FormPublish(topic: "/sys/\(device.productKey)/\(device.deviceKey)/thing/\(verb)", payload: local.finish())))
        }
        effects.append(.publishUpstream(reply(replyTopic, identifier, .success)))
        return effects + logins(now: now)
    }

    func reply(_ topic: String, _ identifier: MessageIdentifier, _ code: ReplyCode, message: String = "") -> FormPublish {
        var payload: [UInt8] = []
        Reply.write(identifier, code: code, message: message, to: &payload)
        return publish(topic, payload)
    }
}

extension LocalAnswer {
    /// The `id`, if it is one of our own numbers. The platform may make a number of the text that was sent.
    var number: UInt64? {
        let text = identifier.first == UInt8(ascii: "\"") ? identifier.dropFirst().dropLast() : identifier[...]
        return UInt64(String(decoding: text, as: UTF8.self))
    }
}

extension JSONWriter {
    /// The members that name a device.
    mutating func keys(of device: DeviceIdentifier) {
        name("productKey")
        string(device.productKey)
        name("deviceKey")
        string(device.deviceKey)
    }
}
