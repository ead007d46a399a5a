import Core
import MQTTCodec
import TestSupport
import Testing

@testable import Bridge

@Suite("AWS IoT Core")
struct AWSFormTests {
    private static let shadow = "$aws/things/box-1/shadow"

    private func conversation(_ change: (inout AWSConfiguration) -> Void = { _ in }) -> FormConversation<AWSForm> {
        var configuration = AWSConfiguration(thing: "box-1")
        change(&configuration)
        return FormConversation(AWSForm(name: "cloud", configuration: configuration, devices: [.meter]))
    }

    private func started(_ change: (inout AWSConfiguration) -> Void = { _ in }) -> FormConversation<AWSForm> {
        let talk = conversation(change)
        talk.accept()
        _ = talk.told()
        return talk
    }

    @Test("no SUBSCRIBE has more than eight filters, and none is a wildcard of the whole shadow")
    func subscriptions() {
        let talk = conversation()
        #expect(talk.form.subscriptions.map(\.filter) == ["update/delta", "update/rejected", "get/accepted", "get/rejected"].map { "\(Self.shadow)/\($0)" })
        talk.accept()
        let told = talk.told()
        #expect(told.count == 2 && told[1] == "up \(Self.shadow)/get ")
        let filters = told[0].split(separator: " ").dropFirst()
        #expect(told[0].hasPrefix("subscribe ") && filters.count <= 8)
        #expect(filters.contains("$aws/things/box-1/jobs/notify-next"))
    }

    @Test("a named shadow has its own topics")
    func namedShadow() {
        let talk = conversation { $0.shadow = "points" }
        #expect(talk.form.subscriptions.first?.filter == "$aws/things/box-1/shadow/name/points/update/delta")
    }

    @Test("a post goes up by the template, as a record with device, time and points")
    func post() {
        let talk = started()
        let sent = talk.send(
            "/sys/meter/m1/thing/measurepoint/post",
            #"{"id":"1","params":{"measurepoints":{"temp":{"value":21.5,"quality":9}},"time":1700000000123}}"#)
        #expect(
            sent == [
                #"dt/box-1/meter/m1/measurepoint/post {"product":"meter","device":"m1","time":1700000000123,"measurepoints":{"temp":{"value":21.5,"quality":9}}}"#
            ])
    }

    @Test("history is marked")
    func backfill() {
        let sent = started().send(
            "/sys/meter/m1/thing/measurepoint/post", #"{"params":{"measurepoints":{"t":1},"time":5}}"#, isBackfill: true)
        #expect(sent?.first?.contains(#""time":5,"backfill":true,"#) == true)
    }

    @Test("a time that nobody knows is marked, but not one by a device's own clock", arguments: [
        (#"{"params":{"measurepoints":{"t":1},"time":1700000000400}}"#, true), (#"{"params":{"measurepoints":{"t":1},"time":5}}"#, false),
        (#"{"params":{"measurepoints":{"t":1}}}"#, true), ("hot", true),
    ])
    func uncertainTime(payload: String, isMarked: Bool) throws {
        let talk = started()
        let input = talk.input("/sys/meter/m1/thing/measurepoint/post", payload, isTimeUncertain: true)
        #expect(try #require(talk.batch([input])).publishes[0].contains(#","timeUncertain":true,"#) == isMarked)
    }

    @Test("other messages keep their topic and payload, whatever it is")
    func others() {
        let talk = started()
        #expect(talk.send("alarms/1", #"{"a":1}"#) == [#"dt/box-1/alarms/1 {"topic":"alarms/1","time":1700000000500,"payload":{"a":1}}"#])
        #expect(talk.send("/alarms", "hot") == [#"dt/box-1/alarms {"topic":"/alarms","time":1700000000500,"text":"hot"}"#])
        let bytes = talk.batch([talk.input("raw", [0xFF, 0x00])])
        #expect(bytes?.publishes == [#"dt/box-1/raw {"topic":"raw","time":1700000000500,"base64":"/wA="}"#])
    }

    @Test("a topic that the service would end the connection for is left out", arguments: [
        "a/b/c/d/e/f/g", String(repeating: "x", count: 260),
    ])
    func longTopics(_ topic: String) {
        #expect(started().send(topic, "{}") == [])
    }

    @Test("a template may put the names in any order")
    func template() {
        let talk = started { $0.topic = "site/7/${device}/${product}/${tail}" }
        #expect(talk.send("/sys/meter/m1/thing/event/e/post", "{}")?.first?.topicText == "site/7/m1/meter/event/e/post")
    }

    @Test("joined messages are an array of those with the same topic")
    func joined() throws {
        let talk = started { $0.batchSize = 3 }
        let post = #"{"params":{"measurepoints":{"t":1},"time":5}}"#
        let inputs = [
            talk.input("/sys/meter/m1/thing/measurepoint/post", post), talk.input("/sys/meter/m1/thing/measurepoint/post", post),
            talk.input("/sys/meter/m2/thing/measurepoint/post", post),
        ]
        let made = try #require(talk.batch(inputs))
        #expect(made.count == 2 && json(made.publishes[0].payloadText, "1", "time") == "5")
        #expect(talk.batch([inputs[2]])?.publishes.first?.payloadText.hasPrefix("[{") == true)
    }

    @Test("joined messages are no more than the service takes")
    func bytes() throws {
        let talk = started { $0.batchSize = 1000 }
        let long = String(repeating: "x", count: 50_000)
        let made = try #require(talk.batch((0..<10).map { _ in talk.input("a", long) }))
        #expect(made.count == 2 && made.publishes[0].payloadText.utf8.count <= 128 * 1024)
    }

    @Test("a delta sets writable points, and what is set is reported")
    func delta() throws {
        let talk = started()
        talk.upstream("\(Self.shadow)/update/delta", #"{"version":7,"state":{"points":{"meter":{"m1":{"setpoint":21.5}}},"other":1}}"#)
        let told = talk.told()
        #expect(
            told == [
                #"local /sys/meter/m1/thing/service/measurepoint/set {"id":"cloud-1","version":"1.0","method":"thing.service.measurepoint.set","params":{"setpoint":21.5}}"#
            ])
        talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", #"{"id":"other","code":200}"#)
        #expect(talk.told().isEmpty)
        talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", #"{"id":"cloud-1","code":200,"data":{},"message":""}"#)
        #expect(
            talk.told() == [
                #"up \#(Self.shadow)/update {"state":{"reported":{"points":{"meter":{"m1":{"setpoint":21.5}}},"errors":{"meter":{"m1":null}}}},"clientToken":"cloud-1"}"#
            ])
    }

    @Test("a wish that was refused is not tried again until it changes, or on the next connection")
    func refused() {
        let talk = started()
        func wish(_ version: Int, _ value: String) {
            talk.upstream("\(Self.shadow)/update/delta", #"{"version":\#(version),"state":{"points":{"meter":{"m1":{"setpoint":\#(value)}}}}}"#)
        }
        wish(1, "900")
        _ = talk.told()
        talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", #"{"id":"cloud-1","code":1204,"message":"out of range"}"#)
        #expect(
            talk.told() == [
                #"up \#(Self.shadow)/update {"state":{"reported":{"errors":{"meter":{"m1":{"code":1204,"message":"out of range"}}}}},"clientToken":"cloud-1"}"#
            ])
        wish(2, "900")
        #expect(talk.told().isEmpty)
        wish(3, "90")
        #expect(talk.told().count == 1)
        talk.form.disconnected()
        talk.accept()
        _ = talk.told()
        wish(4, "900")
        #expect(talk.told().count == 1)
    }

    @Test("a point that is not writable is refused without a command")
    func readOnly() {
        let talk = started()
        talk.upstream("\(Self.shadow)/update/delta", #"{"state":{"points":{"meter":{"m1":{"temp":1,"other":2}}}}}"#)
        let told = talk.told()
        #expect(told.count == 1 && told[0].contains(#""errors":{"meter":{"m1":{"code":1204,"message":"not a writable point: temp, other"}}}"#))
    }

    @Test("of the whole shadow, only what differs is set")
    func document() {
        let talk = started()
        talk.upstream(
            "\(Self.shadow)/get/accepted",
            #"{"version":3,"state":{"desired":{"points":{"meter":{"m1":{"setpoint":21.50},"x":{"a":1}}}},"reported":{"points":{"meter":{"m1":{"setpoint":21.5}}}}}}"#)
        let told = talk.told()
        #expect(told.count == 1 && told[0].hasPrefix("local /sys/meter/x/thing/service/measurepoint/set "))
        talk.upstream("\(Self.shadow)/update/delta", #"{"version":2,"state":{"points":{"meter":{"m1":{"setpoint":1}}}}}"#)
        #expect(talk.told().isEmpty)
    }

    @Test("a device that does not answer is reported")
    func timeout() {
        let talk = started()
        talk.upstream("\(Self.shadow)/update/delta", #"{"state":{"points":{"meter":{"m1":{"setpoint":1}}}}}"#)
        _ = talk.told()
        talk.wait(.seconds(30))
        #expect(talk.told().first?.contains(#"{"code":504,"message":"the device does not answer"}"#) == true)
    }

    @Test("what failed for a reason that may pass is tried again after a minute")
    func transient() {
        let talk = started()
        let document = #"{"version":1,"state":{"desired":{"points":{"meter":{"m1":{"setpoint":1}}}}}}"#
        talk.upstream("\(Self.shadow)/get/accepted", document)
        _ = talk.told()
        talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", #"{"id":"cloud-1","code":1102,"message":"no answer"}"#)
        talk.upstream("\(Self.shadow)/update/delta", #"{"version":2,"state":{"points":{"meter":{"m1":{"setpoint":1}}}}}"#)
        #expect(talk.told().filter { $0.hasPrefix("local") }.isEmpty)
        talk.wait(.seconds(59))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        #expect(talk.told() == ["up \(Self.shadow)/get "])
        talk.upstream("\(Self.shadow)/get/accepted", document.replacing("\"version\":1", with: "\"version\":2"))
        #expect(talk.told().first?.contains(#""id":"cloud-2""#) == true)
    }

    @Test("a shadow that does not come is asked for again")
    func shadowAgain() {
        let talk = started()
        talk.wait(.seconds(60))
        #expect(talk.told() == ["up \(Self.shadow)/get "])
        talk.upstream("\(Self.shadow)/get/rejected", #"{"code":404,"message":"No shadow exists"}"#)
        talk.wait(.seconds(600))
        #expect(talk.told().isEmpty)
    }

    @Test("a refusal of the service is told once; that there is no shadow yet is none")
    func rejections() {
        let talk = started()
        talk.upstream("\(Self.shadow)/get/rejected", #"{"code":404,"message":"No shadow exists"}"#)
        #expect(talk.told().isEmpty)
        for _ in 0..<2 { talk.upstream("\(Self.shadow)/update/rejected", #"{"code":413,"message":"too large"}"#) }
        #expect(talk.told() == ["warn: AWS IoT refuses an update of the shadow with 413: too large"])
    }

    @Test("jobs come down to local topics, and go up from there")
    func jobs() {
        let talk = started()
        talk.upstream("$aws/things/box-1/jobs/notify-next", #"{"execution":{"jobId":"j"}}"#)
        #expect(talk.told() == [#"local aws/jobs/notify-next {"execution":{"jobId":"j"}}"#])
        talk.local("aws/jobs/j/update", #"{"status":"IN_PROGRESS"}"#)
        #expect(talk.told() == [#"up $aws/things/box-1/jobs/j/update {"status":"IN_PROGRESS"}"#])
        talk.local("aws/jobs/j/update/accepted", "{}")
        #expect(talk.told().isEmpty)
    }

    @Test("damaged messages trap nothing")
    func fuzz() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let payload = Array(
            #"{"version":1,"state":{"desired":{"points":{"meter":{"m1":{"setpoint":2}}}},"reported":{},"points":{"meter":{"m1":{"setpoint":1}}}},"code":1}"#.utf8)
        let topics = ["update/delta", "get/accepted", "update/rejected", "get/rejected"].map { "\(Self.shadow)/\($0)" }
        for _ in 0..<3000 {
            let talk = started()
            var topic = Array(topics[random.below(topics.count)].utf8)
            var bytes = payload
            for _ in 0..<random.below(4) { bytes = bytes.flipping(bit: random.below(bytes.count * 8)) }
            if random.once(in: 3) { bytes.removeLast(random.below(bytes.count)) }
            if random.once(in: 4) { topic = topic.flipping(bit: random.below(topic.count * 8)) }
            talk.upstream(String(decoding: topic, as: UTF8.self), bytes)
            talk.local("/sys/meter/m1/thing/service/measurepoint/set_reply", String(decoding: bytes, as: UTF8.self))
            _ = talk.send("/sys/meter/m1/thing/measurepoint/post", String(decoding: bytes, as: UTF8.self))
            #expect(talk.told().count < 10, "seed \(seed)")
        }
    }
}
