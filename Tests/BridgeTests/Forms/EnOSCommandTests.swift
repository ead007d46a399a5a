import Core
import Payload
import TestSupport
import Testing

@testable import Bridge

@Suite("EnOS: commands")
struct EnOSCommandTests {
    private func started() throws -> FormConversation<EnOSForm> {
        let talk = EnOSLoginTests.conversation()
        try talk.start(secret: EnOSLoginTests.secrets)
        EnOSLoginTests.answer(talk, id: 1, in: ["m1", "m2", "m3"])
        _ = talk.told()
        return talk
    }

    @Test("a command goes to the local topic of the same name, and its answer up", arguments: [
        "thing/service/measurepoint/set", "thing/service/measurepoint/get", "thing/service/reset", "ota/device/upgrade",
        "thing/config/push",
    ])
    func commands(_ tail: String) throws {
        let talk = try started()
        let topic = "/sys/meter/m1/\(tail)"
        talk.upstream(topic, #"{"id":"31","version":"1.0","params":{"a":1}}"#)
        #expect(talk.told() == [#"local \#(topic) {"id":"31","version":"1.0","params":{"a":1}}"#])
        talk.local("\(topic)_reply", #"{"id":"32","code":200}"#)
        #expect(talk.told().isEmpty)
        let answer = #"{"id":"31","code":200,"data":{"b":2}}"#
        talk.local("\(topic)_reply", answer)
        #expect(talk.told() == ["up \(topic)_reply \(answer)"])
        talk.local("\(topic)_reply", answer)
        #expect(talk.told().isEmpty)
    }

    @Test("the values that are asked for go up alone, and a point without one is left out", arguments: [
        (
            #"{"id":"31","code":200,"data":{"a":{"value":21.5,"quality":9,"time":1},"b":{"value":null,"quality":0,"reason":"timeout","time":1},"c":{"value":"on","quality":4,"reason":"stale","time":1}},"message":""}"#,
            #"{"id":"31","code":200,"data":{"a":21.5,"c":"on"},"message":""}"#
        ),
        (#"{"code":200,"data":{"a":1,"b":{"x":1}},"id":"31"}"#, #"{"code":200,"data":{"a":1,"b":{"x":1}},"id":"31"}"#),
        (#"{"id":"31","code":1204,"data":{},"message":"no"}"#, #"{"id":"31","code":1204,"data":{},"message":"no"}"#),
        (#"{"id":"31","code":200,"data":[1]}"#, #"{"id":"31","code":200,"data":[1]}"#),
    ])
    func values(local: String, upstream: String) throws {
        let talk = try started()
        let topic = "/sys/meter/m1/thing/service/measurepoint/get"
        talk.upstream(topic, #"{"id":"31","params":["a","b","c"]}"#)
        _ = talk.told()
        talk.local("\(topic)_reply", local)
        #expect(talk.told() == ["up \(topic)_reply \(upstream)"])
    }

    @Test("an identifier that is a number is a number in the answer")
    func numericIdentifier() throws {
        let talk = try started()
        talk.upstream("/sys/gw/box/thing/service/reset", #"{"id":31,"params":{}}"#)
        talk.wait(.seconds(30))
        #expect(
            talk.told().contains(
                #"up /sys/gw/box/thing/service/reset_reply {"id":31,"code":6305,"data":{},"message":"no answer in time"}"#))
    }

    @Test("a command that nobody answers is answered after its time, and a late answer goes nowhere")
    func timeout() throws {
        let talk = try started()
        let topic = "/sys/meter/m1/thing/service/measurepoint/set"
        talk.upstream(topic, #"{"id":"1","params":{"a":1}}"#)
        _ = talk.told()
        talk.wait(.seconds(29))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        #expect(
            talk.told() == [
                #"up \#(topic)_reply {"id":"1","code":6305,"data":{},"message":"no answer in time"}"#,
                "warn: nobody here answers thing/service/measurepoint/set",
            ])
        talk.local("\(topic)_reply", #"{"id":"1","code":200}"#)
        #expect(talk.told().isEmpty)
    }

    @Test("RRPC is told by its topic, and has eight seconds")
    func rrpc() throws {
        let talk = try started()
        talk.upstream("/sys/meter/m1/rrpc/request/42", "any bytes")
        #expect(talk.told() == ["local /sys/meter/m1/rrpc/request/42 any bytes"])
        talk.local("/sys/meter/m1/rrpc/response/42", "others")
        #expect(talk.told() == ["up /sys/meter/m1/rrpc/response/42 others"])
        talk.upstream("/sys/meter/m1/rrpc/request/43", #"{"id":"5"}"#)
        _ = talk.told()
        talk.wait(.seconds(8))
        #expect(talk.told().first == #"up /sys/meter/m1/rrpc/response/43 {"id":"5","code":6305,"data":{},"message":"no answer in time"}"#)
    }

    @Test("raw commands and answers are bytes")
    func raw() throws {
        let talk = try started()
        talk.upstream("/sys/meter/m1/thing/model/down_raw", [0, 255, 1])
        #expect(talk.told().count == 1)
        talk.local("/sys/meter/m1/thing/model/down_raw_reply", "bytes")
        #expect(talk.told() == ["up /sys/meter/m1/thing/model/down_raw_reply bytes"])
        talk.upstream("/sys/meter/m1/thing/model/down_raw", [0, 255, 1])
        _ = talk.told()
        talk.wait(.seconds(30))
        #expect(talk.told() == ["warn: nobody here answers thing/model/down_raw"])
    }

    @Test("enable, disable and delete are told here and answered by the gateway", arguments: ["enable", "disable", "delete"])
    func lifeCycle(_ verb: String) throws {
        let talk = try started()
        talk.upstream("/sys/meter/m1/thing/\(verb)", #"{"id":"3","params":{}}"#)
        #expect(
            talk.told().prefix(2) == [
                #"local /sys/meter/m1/thing/\#(verb) {"id":"3","params":{}}"#,
                #"up /sys/meter/m1/thing/\#(verb)_reply {"id":"3","code":200,"data":{},"message":""}"#,
            ])
    }

    @Test("no more commands wait than there is room for")
    func bound() throws {
        let talk = try started()
        for id in 0..<1024 { talk.upstream("/sys/meter/m1/thing/service/s", #"{"id":"\#(id)"}"#) }
        #expect(talk.told().allSatisfy { $0.hasPrefix("local ") })
        talk.upstream("/sys/meter/m1/thing/service/s", #"{"id":"1024"}"#)
        #expect(
            talk.told() == [
                #"up /sys/meter/m1/thing/service/s_reply {"id":"1024","code":429,"data":{},"message":"too many commands wait for their answers"}"#
            ])
    }

    @Test("what the box itself has sent is nothing for it, and other topics are not its own")
    func echoes() throws {
        let talk = try started()
        #expect(talk.upstream("/sys/meter/m1/thing/measurepoint/post", "{}"))
        #expect(talk.upstream("/ext/session/gw/box/combine/login", "{}"))
        #expect(talk.told().isEmpty)
        #expect(!talk.upstream("other/topic", "{}"))
    }

    @Test("damaged messages from the platform trap nothing")
    func fuzz() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let topics = [
            "/ext/session/gw/box/combine/login/batch_reply", "/ext/session/gw/box/combine/login_reply",
            "/ext/session/gw/box/combine/disable", "/sys/meter/m1/thing/measurepoint/post_reply",
            "/sys/meter/m1/thing/service/measurepoint/set", "/sys/meter/m1/rrpc/request/1", "/sys/meter/m1/thing/enable",
        ]
        let payload = Array(
            #"{"id":"1","code":723,"message":"m","data":{"loginedSubDevices":[{"productKey":"meter","deviceKey":"m1"}],"failedSubDevices":[{}]},"params":[{"productKey":"meter","deviceKey":"m2"}]}"#
                .utf8)
        var configuration = EnOSConfiguration(gateway: DeviceIdentifier(productKey: "gw", deviceKey: "box"))
        configuration.compression = .gzip
        let talk = FormConversation(EnOSForm(configuration: configuration))
        for round in 0..<4000 {
            if round % 50 == 0 {
                talk.form.disconnected()
                try talk.start(secret: EnOSLoginTests.secrets)
            }
            var topic = Array(topics[random.below(topics.count)].utf8)
            var bytes = random.once(in: 4) ? Gzip.compress(payload) : payload
            for _ in 0..<random.below(4) { bytes = bytes.flipping(bit: random.below(bytes.count * 8)) }
            if random.once(in: 3) { bytes.removeLast(random.below(bytes.count)) }
            if random.once(in: 5) { topic = topic.flipping(bit: random.below(topic.count * 8)) }
            talk.upstream(String(decoding: topic, as: UTF8.self), bytes)
            _ = talk.send("/sys/meter/m\(random.below(4))/thing/measurepoint/post", String(decoding: bytes, as: UTF8.self))
            talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", String(decoding: bytes, as: UTF8.self))
            talk.wait(.milliseconds(random.below(3000)))
            #expect(talk.told().count < 300, "seed \(seed)")
        }
    }
}
