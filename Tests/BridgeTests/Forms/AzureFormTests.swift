import Core
import MQTTCodec
import TestSupport
import Testing

@testable import Bridge

@Suite("Azure IoT Hub")
struct AzureFormTests {
    private static let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

    private func conversation(_ change: (inout AzureConfiguration) -> Void = { _ in }) -> FormConversation<AzureForm> {
        var configuration = AzureConfiguration(hub: "hub.azure-devices.net")
        change(&configuration)
        return FormConversation(AzureForm(name: "cloud", configuration: configuration, devices: [.meter]))
    }

    private func started(_ change: (inout AzureConfiguration) -> Void = { _ in }) throws -> FormConversation<AzureForm> {
        let talk = conversation(change)
        try talk.start(secret: Self.key)
        talk.upstream("$iothub/twin/res/200/?$rid=1", #"{"desired":{"$version":1},"reported":{"$version":1}}"#)
        _ = talk.told()
        return talk
    }

    @Test("the token is the one that other implementations make")
    func token() throws {
        let token = try AzureToken.make(resource: "hub.azure-devices.net/devices/box 1", key: Array("\(Self.key)\n".utf8), expiry: 1_750_003_600)
        #expect(token == "SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Fbox%201&sig=ShJRaCsGU%2FE4SPOKoDdVGKxV7S3KqWSNwHp%2BFyIl7uE%3D&se=1750003600")
    }

    @Test("a key that is not Base64 makes no token", arguments: ["", "not base 64", "AAE"])
    func badKey(_ key: String) {
        #expect(throws: FormError.self) { try AzureToken.make(resource: "r", key: Array(key.utf8), expiry: 1) }
    }

    @Test("CONNECT names hub, device and API version, and has a token of an hour")
    func connect() throws {
        let packet = try conversation().connect(secret: Self.key, clientIdentifier: "box", wall: 1_750_000_000_000)
        #expect(packet.version == .v311 && packet.clientIdentifier == "box")
        #expect(packet.userName == "hub.azure-devices.net/box/?api-version=2021-04-12")
        let password = packet.password.map { String(decoding: $0, as: UTF8.self) }
        #expect(password?.hasPrefix("SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Fbox&sig=") == true)
        #expect(password?.hasSuffix("&se=1750003600") == true)
    }

    @Test("with a certificate there is no password, and no clock is needed")
    func certificate() throws {
        let packet = try conversation { $0.authentication = .certificate }.connect(secret: nil, wall: 0)
        #expect(packet.password == nil && packet.userName != nil)
    }

    @Test("without a clock no token is made, which is said")
    func noClock() {
        let error = #expect(throws: FormError.self) { try conversation().connect(secret: Self.key, wall: 86_400_000) }
        #expect(error?.description.contains("the clock is not set") == true)
    }

    @Test("before the token ends, the connection is made anew")
    func renewal() throws {
        let talk = try started()
        talk.wait(.seconds(3239))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        #expect(talk.told() == ["reconnect: the token is about to end"])
        talk.wait(.seconds(1))
        #expect(talk.told().isEmpty)
    }

    @Test("the hub's four subscriptions, none with QoS 2")
    func subscriptions() throws {
        let talk = conversation()
        _ = try talk.connect(secret: Self.key)
        #expect(
            talk.form.subscriptions.map(\.filter) == [
                "$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#",
                "devices/box/messages/devicebound/#",
            ])
        #expect(talk.form.subscriptions.allSatisfy { $0.options.qos < .exactlyOnce })
    }

    @Test("a post has device, time and back-fill in the property bag")
    func post() throws {
        let talk = try started()
        let post = #"{"params":{"measurepoints":{"temp":{"value":21.5,"quality":9}},"time":1700000000123}}"#
        #expect(
            talk.send("/sys/meter/m 1/thing/measurepoint/post", post) == [
                #"devices/box/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8&product=meter&device=m%201&time=1700000000500&backfill=false {"product":"meter","device":"m 1","time":1700000000123,"measurepoints":{"temp":{"value":21.5,"quality":9}}}"#
            ])
        #expect(talk.send("/sys/meter/m1/thing/measurepoint/post", post, isBackfill: true)?.first?.contains("&backfill=true {") == true)
        #expect(talk.send("alarms/+x", "hot")?.first?.topicText.contains("product") == false)
    }

    @Test("a time that nobody knows is a property, and no message with it joins one without")
    func uncertainTime() throws {
        let talk = try started { $0.batchSize = 100 }
        let post = #"{"params":{"measurepoints":{"t":1},"time":1700000000400}}"#
        func input(_ isTimeUncertain: Bool) -> FormInput {
            talk.input("/sys/meter/m1/thing/measurepoint/post", post, isTimeUncertain: isTimeUncertain)
        }
        let made = try #require(talk.batch([input(true), input(true), input(false)]))
        #expect(made.count == 2 && made.publishes[0].topicText.hasSuffix("&backfill=false&timeUncertain=true"))
        #expect(made.publishes[0].payloadText.contains(#""time":1700000000400,"timeUncertain":true,"#))
        #expect(talk.batch([input(false), input(true)])?.publishes.first?.contains("timeUncertain") == false)
    }

    @Test("a report of losses says so in a property, and no other message joins it")
    func losses() throws {
        let talk = try started { $0.batchSize = 100 }
        talk.form.reportTopic = "martlet/box/cache/lost"
        let report = #"{"reason":"size","messages":12}"#
        let made = try #require(talk.batch([talk.input("martlet/box/cache/lost", report), talk.input("alarms/1", "{}")]))
        #expect(made.count == 1 && made.publishes[0].topicText.hasSuffix("&backfill=false&report=lost"))
        #expect(made.publishes[0].payloadText.contains(#""topic":"martlet/box/cache/lost""#) && made.publishes[0].contains(report))
        #expect(talk.batch([talk.input("alarms/1", "{}"), talk.input("martlet/box/cache/lost", report)])?.count == 1)
    }

    @Test("joined messages are of one device, and no more than the hub takes with their properties")
    func joined() throws {
        let talk = try started { $0.batchSize = 100 }
        let long = String(repeating: "x", count: 50_000)
        let payload = #"{"params":{"measurepoints":{"t":"\#(long)"},"time":1}}"#
        let made = try #require(talk.batch((0..<10).map { _ in talk.input("/sys/meter/m1/thing/measurepoint/post", payload) }))
        #expect(made.count == 5)
        #expect(made.publishes[0].utf8.count <= 256 * 1024 && made.publishes[0].payloadText.hasPrefix("[{"))
        let mixed = [talk.input("/sys/meter/m1/thing/measurepoint/post", "{}"), talk.input("/sys/meter/m2/thing/measurepoint/post", "{}")]
        #expect(talk.batch(mixed)?.count == 1)
    }

    @Test("a direct method sets points, and its status tells how it went", arguments: [
        (#"{"id":"cloud-method-1","code":200,"data":{},"message":""}"#, #"200/?$rid=5 {"code":200,"message":"","data":{}}"#),
        (#"{"id":"cloud-method-1","code":1204,"data":{},"message":"no"}"#, #"400/?$rid=5 {"code":1204,"message":"no","data":{}}"#),
        (#"{"id":"cloud-method-1","code":1101}"#, #"404/?$rid=5 {"code":1101,"message":""}"#),
        (#"{"id":"cloud-method-1","code":2001}"#, #"500/?$rid=5 {"code":2001,"message":""}"#),
    ])
    func method(_ reply: String, _ answer: String) throws {
        let talk = try started()
        talk.upstream("$iothub/methods/POST/set/?$rid=5", #"{"product":"meter","device":"m1","params":{"setpoint":3}}"#)
        #expect(
            talk.told() == [
                #"local /sys/meter/m1/thing/service/measurepoint/set {"id":"cloud-method-1","version":"1.0","method":"thing.service.measurepoint.set","params":{"setpoint":3}}"#
            ])
        talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", reply)
        #expect(talk.told() == ["up $iothub/methods/res/\(answer)"])
    }

    @Test("a direct method asks for points, for all of them if it names none", arguments: [
        (#","params":["a"]"#, #"["a"]"#), ("", "[]"),
    ])
    func values(_ given: String, _ params: String) throws {
        let talk = try started()
        talk.upstream("$iothub/methods/POST/get/?$rid=6", #"{"product":"meter","device":"m1"\#(given)}"#)
        #expect(
            talk.told() == [
                #"local /sys/meter/m1/thing/service/measurepoint/get {"id":"cloud-method-1","version":"1.0","method":"thing.service.measurepoint.get","params":\#(params)}"#
            ])
        talk.local(
            "/sys/meter/m1/thing/service/measurepoint/get_reply",
            #"{"id":"cloud-method-1","code":200,"data":{"a":{"value":1,"quality":9,"time":5}},"message":""}"#)
        #expect(talk.told() == [#"up $iothub/methods/res/200/?$rid=6 {"code":200,"message":"","data":{"a":{"value":1,"quality":9,"time":5}}}"#])
    }

    @Test("a method with another name is the device's service of that name")
    func service() throws {
        let talk = try started()
        talk.upstream("$iothub/methods/POST/reset/?$rid=a1", #"{"product":"meter","device":"m1"}"#)
        #expect(talk.told().first?.hasPrefix("local /sys/meter/m1/thing/service/reset ") == true)
        talk.wait(.seconds(30))
        #expect(talk.told() == [#"up $iothub/methods/res/504/?$rid=a1 {"code":504,"message":"the device does not answer"}"#])
    }

    @Test("a method that is not understood is answered", arguments: ["", "7", "{}", #"{"product":"a/b","device":"m1"}"#])
    func badMethod(_ payload: String) throws {
        let talk = try started()
        talk.upstream("$iothub/methods/POST/set/?$rid=5", payload)
        #expect(talk.told().first?.hasPrefix("up $iothub/methods/res/400/?$rid=5 ") == true)
    }

    @Test("of the twin, only what differs is set, and then reported")
    func twin() throws {
        let talk = conversation()
        try talk.start(secret: Self.key)
        #expect(talk.told() == ["up $iothub/twin/GET/?$rid=1 "])
        talk.upstream(
            "$iothub/twin/res/200/?$rid=1",
            #"{"desired":{"points":{"meter":{"m1":{"setpoint":4}}},"$version":3},"reported":{"points":{"meter":{"m1":{"setpoint":5}}},"$version":9}}"#)
        #expect(talk.told().first?.contains(#""params":{"setpoint":4}"#) == true)
        talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", #"{"id":"cloud-1","code":200}"#)
        #expect(
            talk.told() == [
                #"up $iothub/twin/PATCH/properties/reported/?$rid=2 {"points":{"meter":{"m1":{"setpoint":4}}},"errors":{"meter":{"m1":null}}}"#
            ])
    }

    @Test("a change of the desired properties is applied in order; one that was missed brings the whole twin")
    func versions() throws {
        let talk = try started()
        func change(_ version: Int, _ value: Int) {
            talk.upstream(
                "$iothub/twin/PATCH/properties/desired/?$version=\(version)",
                #"{"points":{"meter":{"m1":{"setpoint":\#(value)}}},"$version":\#(version)}"#)
        }
        change(2, 7)
        #expect(talk.told().first?.contains(#""params":{"setpoint":7}"#) == true)
        change(2, 8)
        #expect(talk.told().isEmpty)
        change(4, 9)
        #expect(talk.told() == ["up $iothub/twin/GET/?$rid=2 "])
    }

    @Test("a twin that does not come is asked for again")
    func twinAgain() throws {
        let talk = conversation()
        try talk.start(secret: Self.key)
        _ = talk.told()
        talk.upstream("$iothub/twin/res/429/?$rid=1", "{}")
        #expect(talk.told() == ["warn: the hub answers a request about the twin with 429"])
        talk.wait(.seconds(60))
        #expect(talk.told() == ["up $iothub/twin/GET/?$rid=2 "])
    }

    @Test("a message from the cloud is published here")
    func message() throws {
        let talk = try started()
        #expect(talk.upstream("devices/box/messages/devicebound/%24.to=x", "hello"))
        #expect(talk.told() == ["local azure/messages hello"])
        #expect(!talk.upstream("devices/other/messages/devicebound/x", "hello"))
    }

    @Test("damaged messages trap nothing")
    func fuzz() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let payload = Array(
            #"{"desired":{"points":{"meter":{"m1":{"setpoint":4}}},"$version":3},"points":{"meter":{"m1":{"setpoint":4}}},"product":"meter","device":"m1","params":{"a":1}}"#.utf8)
        let topics = [
            "$iothub/methods/POST/set/?$rid=5", "$iothub/twin/res/200/?$rid=1", "$iothub/twin/PATCH/properties/desired/?$version=2",
            "devices/box/messages/devicebound/a=b",
        ]
        for _ in 0..<3000 {
            let talk = conversation()
            try talk.start(secret: Self.key)
            var topic = Array(topics[random.below(topics.count)].utf8)
            var bytes = payload
            for _ in 0..<random.below(4) { bytes = bytes.flipping(bit: random.below(bytes.count * 8)) }
            if random.once(in: 3) { bytes.removeLast(random.below(bytes.count)) }
            if random.once(in: 3) { topic = topic.flipping(bit: random.below(topic.count * 8)) }
            talk.upstream(String(decoding: topic, as: UTF8.self), bytes)
            talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", String(decoding: bytes, as: UTF8.self))
            #expect(talk.told().count < 10, "seed \(seed)")
        }
    }
}
