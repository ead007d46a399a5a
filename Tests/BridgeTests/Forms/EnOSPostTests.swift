import Core
import Payload
import Testing

@testable import Bridge

@Suite("EnOS: what goes up")
struct EnOSPostTests {
    private func started(_ change: (inout EnOSConfiguration) -> Void = { _ in }) throws -> FormConversation<EnOSForm> {
        let talk = EnOSLoginTests.conversation(change)
        try talk.start(secret: EnOSLoginTests.secrets)
        EnOSLoginTests.answer(talk, id: 1, in: ["m1", "m2", "m3"])
        _ = talk.told()
        return talk
    }

    private static let topic = "/sys/meter/m1/thing/measurepoint/post"

    @Test("a post keeps values, time and the quality of numbers; what has no value is left out")
    func post() throws {
        let talk = try started()
        let sent = try #require(
            talk.send(
                Self.topic,
                #"{"id":"9","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"t":{"value":21.50,"quality":9},"f":{"value":null,"quality":0,"reason":"timeout"},"on":{"value":true,"quality":9},"u":{"value":1,"quality":4,"reason":"not-yet-read"},"n":7,"s":{"x":1}},"time":1700000000123}}"#
            )?.first)
        #expect(sent.topicText == Self.topic)
        #expect(
            sent.payloadText
                == #"{"id":"2","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"t":{"value":21.50,"quality":9},"on":true,"u":{"value":1,"quality":4},"n":7,"s":{"x":1}},"time":1700000000123}}"#
        )
    }

    @Test("without quality, values only")
    func noQuality() throws {
        let talk = try started { $0.sendsQuality = false }
        let sent = talk.send(Self.topic, #"{"params":{"measurepoints":{"t":{"value":21.5,"quality":9}},"time":5}}"#)
        #expect(sent?.first?.contains(#""measurepoints":{"t":21.5}"#) == true)
    }

    @Test("a post without a time is given the one of its coming")
    func time() throws {
        let talk = try started()
        let sent = talk.send(Self.topic, #"{"params":{"measurepoints":{"t":1}}}"#)
        #expect(sent?.first?.contains(#""time":1700000000500}"#) == true)
    }

    @Test("history goes up as resume, with the original time")
    func backfill() throws {
        let talk = try started()
        let sent = try #require(talk.send(Self.topic, EnOSLoginTests.post, isBackfill: true)?.first)
        #expect(sent.topicText == "/sys/meter/m1/thing/measurepoint/resume")
        #expect(json(sent.payloadText, "method") == "thing.measurepoint.resume" && json(sent.payloadText, "params", "time") == "5")
    }

    @Test("what has no value, is no post or no device's is left out", arguments: [
        #"{"params":{"measurepoints":{"f":{"value":null,"quality":0}}}}"#, #"{"params":{"measurepoints":{}}}"#, "{}", "", "[1", "7",
        #"{"params":[]}"#,
    ])
    func nothing(_ payload: String) throws {
        let talk = try started()
        #expect(talk.send(Self.topic, payload) == [])
    }

    @Test("answers of devices and topics that EnOS does not have are left out", arguments: [
        "/sys/meter/m1/thing/service/measurepoint/set_reply", "/sys/meter/m1/thing/service/measurepoint/set", "alarms/1",
        "/sys/meter/m1", "/sys/meter/m1/other/thing", "/sys//m1/thing/measurepoint/post", "/sys/meter/m1/thing/event//post",
    ])
    func otherTopics(_ topic: String) throws {
        let talk = try started()
        #expect(talk.send(topic, EnOSLoginTests.post) == [])
    }

    @Test("attributes, tags, events, raw bytes and versions go up as they are", arguments: [
        "thing/attribute/update", "thing/attribute/query", "thing/tag/update", "thing/event/overheat/post", "thing/model/up_raw",
        "ota/device/inform", "ota/device/progress",
    ])
    func passes(_ tail: String) throws {
        let talk = try started()
        #expect(talk.send("/sys/meter/m1/\(tail)", "payload as it is") == ["/sys/meter/m1/\(tail) payload as it is"])
    }

    @Test("a report of losses is an event of the gateway's own, with what was lost as its outputs")
    func losses() throws {
        let talk = try started()
        talk.form.reportTopic = "martlet/box/cache/lost"
        let report = #"{"time":7,"bridge":"cloud","priority":5,"reason":"size","messages":12,"from":1000,"to":2000}"#
        let sent = try #require(talk.send("martlet/box/cache/lost", report))
        #expect(sent.count == 1 && sent[0].hasPrefix("/sys/gw/box/thing/event/cacheLost/post {"))
        let payload = String(sent[0].split(separator: " ", maxSplits: 1)[1])
        #expect(json(payload, "method") == "thing.event.cacheLost.post" && json(payload, "params", "time") != nil)
        #expect(json(payload, "params", "events", "messages") == "12" && json(payload, "params", "events", "to") == "2000")
        #expect(json(payload, "params", "events", "reason") == "size" && json(payload, "params", "events", "time") == nil)
        #expect(talk.send("martlet/box/cache/lost", "7") == [])
    }

    @Test("joined, posts of several devices go in one message of the gateway's")
    func joined() throws {
        let talk = try started { $0.batchSize = 3 }
        let inputs = (1...4).map { talk.input("/sys/meter/m\($0)/thing/measurepoint/post", #"{"params":{"measurepoints":{"t":\#($0)},"time":\#($0)}}"#) }
        let made = try #require(talk.batch(inputs))
        #expect(made.count == 3 && made.publishes.count == 1)
        #expect(made.publishes[0].topicText == "/sys/gw/box/thing/measurepoint/post/batch")
        let payload = made.publishes[0].payloadText
        #expect(json(payload, "method") == "thing.measurepoint.post.batch" && json(payload, "skipInvalidMeasurepoints") == "true")
        #expect(json(payload, "params", "2", "deviceKey") == "m3" && json(payload, "params", "2", "time") == "3")
        #expect(json(payload, "params", "2", "measurepoints", "t") == "3" && json(payload, "params", "3") == nil)
    }

    @Test("joined history is resume/batch, and ends before what is no post")
    func joinedHistory() throws {
        let talk = try started { $0.batchSize = 10 }
        let made = try #require(
            talk.batch([
                talk.input(Self.topic, EnOSLoginTests.post, isBackfill: true),
                talk.input("/sys/meter/m2/thing/measurepoint/resume", EnOSLoginTests.post, isBackfill: true),
                talk.input("/sys/meter/m2/thing/event/e/post", "{}", isBackfill: true),
            ]))
        #expect(made.count == 2 && made.publishes[0].topicText == "/sys/gw/box/thing/measurepoint/resume/batch")
        #expect(json(made.publishes[0].payloadText, "method") == "thing.measurepoint.resume.batch")
    }

    @Test("a message has no more bytes than the platform takes")
    func bytes() throws {
        let talk = try started { $0.batchSize = 1000 }
        let long = String(repeating: "x", count: 100_000)
        let inputs = (1...20).map { _ in talk.input(Self.topic, #"{"params":{"measurepoints":{"t":"\#(long)"},"time":1}}"#) }
        let made = try #require(talk.batch(inputs))
        #expect(made.count == 5 && made.publishes[0].payloadText.utf8.count <= 512 * 1024)
        #expect(talk.batch(inputs, maximumBytes: 250_000)?.count == 2)
        // One alone may be larger than what is left.
        #expect(talk.batch(inputs, maximumBytes: 50_000)?.count == 1)
    }

    @Test("a device's own batch that has waited is history as well")
    func ownBatch() throws {
        let talk = try started()
        let payload = #"{"id":"4","version":"1.0","method":"thing.measurepoint.post.batch","params":[{"measurepoints":{"t":1}}]}"#
        let topic = "/sys/meter/m1/thing/measurepoint/post/batch"
        #expect(talk.send(topic, payload) == ["\(topic) \(payload)"])
        let sent = try #require(talk.send(topic, payload, isBackfill: true)?.first)
        #expect(sent.topicText == "/sys/meter/m1/thing/measurepoint/resume/batch")
        #expect(json(sent.payloadText, "method") == "thing.measurepoint.resume.batch" && json(sent.payloadText, "id") == "4")
    }

    @Test("an answer that is not 200 is counted, and told once for each kind, in words")
    func refusals() throws {
        let talk = try started()
        for _ in 0..<3 {
            talk.upstream("/sys/meter/m1/thing/measurepoint/post_reply", #"{"id":"5","code":1204,"data":{},"message":"no point t"}"#)
        }
        talk.upstream("/sys/meter/m1/thing/measurepoint/resume_reply", #"{"id":"6","code":1204}"#)
        talk.upstream("/sys/meter/m1/thing/measurepoint/post_reply", #"{"id":"7","code":200}"#)
        #expect(
            talk.told() == [
                "warn: EnOS answers thing/measurepoint/post with 1204 (a value does not fit the model): no point t",
                "warn: EnOS answers thing/measurepoint/resume with 1204 (a value does not fit the model)",
            ])
        #expect(talk.form.refusals == [1204: 4])
    }

    @Test("the answer to what a device has asked for is given to it")
    func replies() throws {
        let talk = try started()
        let answer = #"{"id":"8","code":200,"data":{"a":1}}"#
        talk.upstream("/sys/meter/m1/thing/attribute/query_reply", answer)
        #expect(talk.told() == ["local /sys/meter/m1/thing/attribute/query_reply \(answer)"])
    }

    @Test("compressed, payloads go up as gzip and come down as either")
    func gzip() throws {
        let talk = try started { $0.compression = .gzip }
        let batch = try #require(talk.form.batch([talk.input(Self.topic, EnOSLoginTests.post)], maximumBytes: 1 << 20, now: talk.now))
        let packed = batch.publishes[0].payload
        let plain = try packed.withUnsafeBytes { try Gzip.decompress($0, limit: 1000) }
        #expect(json(String(decoding: plain, as: UTF8.self), "params", "time") == "5")
        let command = #"{"id":"1","params":{}}"#
        talk.upstream("/sys/meter/m1/thing/service/reset", Gzip.compress(Array(command.utf8)))
        #expect(talk.told() == ["local /sys/meter/m1/thing/service/reset \(command)"])
        talk.upstream("/sys/meter/m1/thing/service/reset", command)
        #expect(talk.told() == ["local /sys/meter/m1/thing/service/reset \(command)"])
    }

    @Test("a payload that grows beyond the platform's limit is not taken")
    func bomb() throws {
        let talk = try started { $0.compression = .gzip }
        talk.upstream("/sys/meter/m1/thing/model/down_raw", Gzip.compress([UInt8](repeating: 0, count: 64 << 20)))
        #expect(talk.told() == ["warn: EnOS sent a payload that cannot be taken: it has more than 524288 bytes decompressed"])
    }
}
