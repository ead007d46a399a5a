import Core
import Testing

@testable import Bridge

@Suite("EnOS: sub-devices log in")
struct EnOSLoginTests {
    static let session = "/ext/session/gw/box/combine"
    static let secrets = "gs\nmeter/m1 s1\nmeter/m2 s2\nmeter/m3 s3\n"
    static let post = #"{"id":"1","params":{"measurepoints":{"a":1},"time":5}}"#

    static func conversation(_ change: (inout EnOSConfiguration) -> Void = { _ in }) -> FormConversation<EnOSForm> {
        var configuration = EnOSConfiguration(gateway: DeviceIdentifier(productKey: "gw", deviceKey: "box"))
        change(&configuration)
        return FormConversation(EnOSForm(configuration: configuration))
    }

    /// Answers a batch of logins.
    static func answer(
        _ talk: FormConversation<EnOSForm>, id: Int, code: Int = 200, in loggedIn: [String], out failed: [String] = []
    ) {
        func list(_ keys: [String]) -> String {
            keys.map { #"{"productKey":"meter","deviceKey":"\#($0)"}"# }.joined(separator: ",")
        }
        talk.upstream(
            "\(session)/login/batch_reply",
            #"{"id":"\#(id)","code":\#(code),"data":{"loginedSubDevices":[\#(list(loggedIn))],"failedSubDevices":[\#(list(failed))]}}"#)
    }

    @Test("all in one request once the subscriptions are there, each signed")
    func batch() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        let told = talk.told()
        #expect(told.count == 1)
        let line = try #require(told.first)
        #expect(line.hasPrefix("up \(Self.session)/login/batch {"))
        let payload = line.dropFirst(3).description.payloadText
        #expect(json(payload, "method") == "combine.login.batch")
        #expect(json(payload, "params", "clientId") == "box" && json(payload, "params", "signMethod") == "sha256")
        let time = try #require(json(payload, "params", "timestamp").flatMap { Int64($0) })
        for (index, key) in ["m1", "m2", "m3"].enumerated() {
            #expect(json(payload, "params", "subDevices", "\(index)", "deviceKey") == key)
            let expected = EnOSSignature.sign(
                clientIdentifier: "box", device: DeviceIdentifier(productKey: "meter", deviceKey: key), timestamp: time,
                secret: Array("s\(index + 1)".utf8))
            #expect(json(payload, "params", "subDevices", "\(index)", "sign") == expected)
        }
    }

    @Test("a post waits for its device's login and not for that of another")
    func postsWait() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        #expect(talk.send("/sys/meter/m1/thing/measurepoint/post", Self.post) == nil)
        #expect(talk.send("/sys/gw/box/thing/measurepoint/post", Self.post)?.count == 1)
        Self.answer(talk, id: 1, in: ["m1"], out: ["m2", "m3"])
        #expect(talk.send("/sys/meter/m1/thing/measurepoint/post", Self.post)?.first?.topicText == "/sys/meter/m1/thing/measurepoint/post")
    }

    @Test("nothing is sent before the subscriptions, and after five seconds without word of them all the same")
    func subscriptionsFirst() throws {
        let talk = Self.conversation()
        _ = try talk.connect(secret: Self.secrets)
        #expect(talk.form.connected(sessionPresent: false, now: talk.now).isEmpty)
        #expect(talk.send("/sys/gw/box/thing/measurepoint/post", Self.post) == nil)
        talk.wait(.seconds(4))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        #expect(talk.told().count == 1)
        #expect(talk.send("/sys/gw/box/thing/measurepoint/post", Self.post) != nil)
    }

    @Test("who is logged in has its commands subscribed to")
    func subscribes() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        _ = talk.told()
        Self.answer(talk, id: 1, in: ["m1", "m2", "m3"])
        let told = talk.told()
        #expect(told.count == 1 && told[0].hasPrefix("subscribe "))
        for key in ["m1", "m2", "m3"] { #expect(told[0].contains("/sys/meter/\(key)/thing/service/measurepoint/set ")) }
    }

    @Test("of a batch that failed in part, the failed ones are tried again alone, with growing waits, and told once")
    func partial() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        _ = talk.told()
        Self.answer(talk, id: 1, code: 723, in: ["m1", "m3"], out: ["m2"])
        #expect(talk.told().filter { $0.hasPrefix("warn:") } == ["warn: EnOS answers the login of meter/m2 with 723 (the device is disabled)"])
        talk.wait(.seconds(4))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        let again = talk.told()
        #expect(again.count == 1 && again[0].hasPrefix("up \(Self.session)/login {") && again[0].contains(#""deviceKey":"m2""#))
        talk.upstream("\(Self.session)/login_reply", #"{"id":"2","code":723,"data":{},"message":"no"}"#)
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(9))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        #expect(talk.told().count == 1)
        talk.upstream("\(Self.session)/login_reply", #"{"id":3,"code":200,"data":{}}"#)
        #expect(talk.send("/sys/meter/m2/thing/measurepoint/post", Self.post)?.first?.topicText == "/sys/meter/m2/thing/measurepoint/post")
    }

    @Test("a refused device's posts go under the gateway's topic and hold up nothing")
    func refusedPosts() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        Self.answer(talk, id: 1, code: 742, in: ["m1"], out: ["m2", "m3"])
        let sent = try #require(talk.send("/sys/meter/m2/thing/measurepoint/post", Self.post)?.first)
        #expect(sent.topicText == "/sys/gw/box/thing/measurepoint/post/batch")
        #expect(json(sent.payloadText, "allowOfflineSubDevice") == "true")
        #expect(json(sent.payloadText, "params", "0", "deviceKey") == "m2")
        #expect(talk.send("/sys/meter/m2/thing/event/e/post", "{}") == [])
    }

    @Test("a login that is not answered is tried again, and does not hold its posts for longer")
    func timeout() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        _ = talk.told()
        talk.wait(.seconds(29))
        #expect(talk.send("/sys/meter/m1/thing/measurepoint/post", Self.post) == nil)
        talk.wait(.seconds(1))
        #expect(talk.told() == ["warn: EnOS does not answer the login of meter/m1; it is tried again"])
        #expect(talk.send("/sys/meter/m1/thing/measurepoint/post", Self.post)?.first?.topicText == "/sys/gw/box/thing/measurepoint/post/batch")
        talk.wait(.seconds(5))
        #expect(talk.told().filter { $0.hasPrefix("up \(Self.session)/login {") }.count == 3)
    }

    @Test("more devices than a request names are split, and no more log in than the gateway may have online")
    func limits() throws {
        let talk = Self.conversation {
            $0.loginBatchSize = 2
            $0.maximumOnline = 5
        }
        let secrets = "gs\n" + (1...9).map { "meter/d\($0) s\n" }.joined()
        try talk.start(secret: secrets)
        let told = talk.told()
        #expect(told.count == 3)
        #expect(told.map { $0.split(separator: #""deviceKey""#).count - 1 } == [2, 2, 1])
        Self.answer(talk, id: 1, in: ["d1", "d2"])
        Self.answer(talk, id: 2, in: ["d3", "d4"])
        Self.answer(talk, id: 3, in: ["d5"])
        _ = talk.told()
        talk.wait(.seconds(600))
        #expect(talk.told().isEmpty)
        #expect(talk.send("/sys/meter/d9/thing/measurepoint/post", Self.post)?.first?.topicText == "/sys/gw/box/thing/measurepoint/post/batch")
    }

    @Test("one by one if a request may name one device only")
    func alone() throws {
        let talk = Self.conversation { $0.loginBatchSize = 1 }
        try talk.start(secret: Self.secrets)
        let told = talk.told()
        #expect(told.count == 3 && told.allSatisfy { $0.hasPrefix("up \(Self.session)/login {") })
        #expect(json(told[0].dropFirst(3).description.payloadText, "params", "clientId") == "meter.m1")
    }

    @Test("everybody logs in again on the next connection")
    func again() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        Self.answer(talk, id: 1, in: ["m1", "m2", "m3"])
        _ = talk.told()
        talk.form.disconnected()
        talk.wait(.seconds(10))
        #expect(talk.told().isEmpty)
        try talk.start(secret: Self.secrets)
        let told = talk.told()
        #expect(told.count == 1 && told[0].hasPrefix("up \(Self.session)/login/batch"))
        #expect(talk.send("/sys/meter/m1/thing/measurepoint/post", Self.post) == nil)
    }

    @Test("a post that is refused because its device is logged out goes again after the login, once")
    func loggedOut() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        Self.answer(talk, id: 1, in: ["m1", "m2", "m3"])
        _ = talk.told()
        let sent = try #require(talk.send("/sys/meter/m1/thing/measurepoint/post", Self.post)?.first)
        let id = try #require(json(sent.payloadText, "id"))
        let refusal = #"{"id":"\#(id)","code":1009,"message":"who?"}"#
        talk.upstream("/sys/meter/m1/thing/measurepoint/post_reply", refusal)
        let told = talk.told()
        #expect(told.first?.hasPrefix("warn: EnOS answers thing/measurepoint/post with 1009 (") == true)
        let login = try #require(told.first { $0.hasPrefix("up \(Self.session)/login") })
        let request = try #require(json(login.dropFirst(3).description.payloadText, "id"))
        Self.answer(talk, id: try #require(Int(request)), in: ["m1"])
        #expect(talk.told().filter { $0 == "up \(sent)" }.count == 1)
        talk.upstream("/sys/meter/m1/thing/measurepoint/post_reply", refusal)
        let login2 = try #require(talk.told().first { $0.hasPrefix("up \(Self.session)/login") })
        Self.answer(talk, id: try #require(json(login2.dropFirst(3).description.payloadText, "id").flatMap { Int($0) }), in: ["m1"])
        #expect(talk.told().allSatisfy { $0 != "up \(sent)" })
    }

    @Test("a device that the platform disables is not logged in until it is enabled")
    func disabled() throws {
        let talk = Self.conversation()
        try talk.start(secret: Self.secrets)
        Self.answer(talk, id: 1, in: ["m1", "m2", "m3"])
        _ = talk.told()
        let devices = #"{"id":"77","version":"1.0","params":[{"productKey":"meter","deviceKey":"m2"}]}"#
        talk.upstream("\(Self.session)/disable", devices)
        let told = talk.told()
        #expect(told.count == 2)
        #expect(told[0].hasPrefix("local /sys/meter/m2/thing/disable {"))
        #expect(told[1] == #"up \#(Self.session)/disable_reply {"id":"77","code":200,"data":{},"message":""}"#)
        talk.form.disconnected()
        try talk.start(secret: Self.secrets)
        #expect(talk.told().allSatisfy { !$0.contains(#""deviceKey":"m2""#) })
        talk.upstream("\(Self.session)/enable", devices)
        #expect(talk.told().contains { $0.hasPrefix("up \(Self.session)/login") && $0.contains(#""deviceKey":"m2""#) })
    }
}
