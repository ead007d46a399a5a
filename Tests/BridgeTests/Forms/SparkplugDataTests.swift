import Core
import Payload
import Store
import Testing

@testable import Bridge

@Suite("Sparkplug: data")
struct SparkplugDataTests {
    private func node(devices: [FormDevice] = [SparkplugNode.meter]) throws -> SparkplugNode {
        let node = SparkplugNode(devices: devices)
        try node.start()
        return node
    }

    @Test("qualities go up as properties where they are not good", arguments: [
        (#"{"value":1,"quality":9}"#, "1.0@1000"), ("1", "1.0@1000"), (#"{"value":1}"#, "1.0@1000"),
        (#"{"value":1,"quality":4,"reason":"out-of-range"}"#, "1.0@1000 stale (out-of-range)"),
        (#"{"value":null,"quality":0,"reason":"illegal-function"}"#, "null@1000 bad (illegal-function)"), ("null", "null@1000"),
    ])
    func quality(value: String, expected: String) throws {
        let node = try node()
        #expect(node.send(node.post(#""temp":\#(value)"#)) == ["DDATA meter:m1 temp=\(expected)"])
    }

    @Test("values take the configured type; one that has no place in it is null and bad", arguments: [
        (FormPoint.ValueType.signed(16), "-5", "-5"), (.signed(16), "7.0", "7"), (.signed(16), "40000", "null bad (out-of-range)"),
        (.unsigned(32), "4294967295", "4294967295"), (.unsigned(64), "18446744073709551615", "18446744073709551615"),
        (.unsigned(16), "-1", "null bad (out-of-range)"), (.boolean, "true", "true"), (.boolean, "1", "true"),
        (.boolean, "2", "null bad (out-of-range)"), (.double, "3", "3.0"), (.float, "1e300", "null bad (out-of-range)"),
        (.string, "12", "'12'"), (.string, #""é""#, "'é'"), (.signed(32), "1.5", "null bad (out-of-range)"),
    ])
    func types(type: FormPoint.ValueType, value: String, expected: String) throws {
        let node = try node(devices: [FormDevice(product: "p", key: "d", points: [FormPoint(identifier: "x", type: type)])])
        let parts = expected.split(separator: " ", maxSplits: 1)
        let rest = parts.count > 1 ? " \(parts[1])" : ""
        #expect(node.send(node.post(#""x":\#(value)"#, device: "p/d")) == ["DDATA p:d x=\(parts[0])@1000\(rest)"])
    }

    @Test("what has waited is historical, with its own times")
    func history() throws {
        let node = try node()
        #expect(
            node.send(
                node.post(#""temp":1"#, time: 1000, isBackfill: true), node.post(#""temp":2"#, time: 2000, isBackfill: true))
                == ["DDATA meter:m1 temp=1.0@1000 historical temp=2.0@2000 historical"])
    }

    @Test("a time that nobody knows is said with the value, in births too, but not of one by a device's own clock")
    func uncertainTime() throws {
        let node = SparkplugNode()
        try node.start()
        func post(_ points: String, _ time: Int64) -> FormInput {
            var input = node.post(points, time: time)
            input.isTimeUncertain = true
            return input
        }
        let now = node.now.wall.milliseconds
        #expect(
            node.send(post(#""temp":1"#, now - 5), post(#""set":2"#, 1000))
                == ["DDATA meter:m1 temp=1.0@\(now - 5) when? set=2@1000"])
        var other = node.input("alarms/line", "hot")
        other.isTimeUncertain = true
        #expect(node.send(other)?.last == "NDATA alarms/line='hot'@\(now) when?")
        node.form.disconnected()
        let births = try node.start()
        #expect(births.first?.hasSuffix("alarms/line:string='hot' when?") == true)
        #expect(births.last == "DBIRTH meter:m1 temp:float=1.0 when? [°C] set:int16=2")
        #expect(node.send(node.post(#""temp":3"#, time: now)) == ["DDATA meter:m1 temp=3.0@\(now)"], "certain again")
    }

    @Test("what a device itself calls history is historical")
    func resume() throws {
        let node = try node()
        #expect(
            node.send(node.input("/sys/meter/m1/thing/measurepoint/resume", #"{"params":{"measurepoints":{"temp":1},"time":"900"}}"#))
                == ["DDATA meter:m1 temp=1.0@900 historical"])
    }

    @Test("what was published before the node was born is historical")
    func waitedForHost() throws {
        let node = try node()
        let early = node.input(
            "/sys/meter/m1/thing/measurepoint/post", #"{"params":{"measurepoints":{"temp":1},"time":1000}}"#,
            publishedAt: Timestamp(milliseconds: node.now.wall.milliseconds - 1))
        #expect(node.send(early) == ["DDATA meter:m1 temp=1.0@1000 historical"])
    }

    @Test("a clock that is set back makes no history of what comes now")
    func clockSetBack() throws {
        let node = try node()
        node.now.wall = Timestamp(milliseconds: 5000)
        #expect(node.send(node.post(#""temp":1"#)) == ["DDATA meter:m1 temp=1.0@1000"])
    }

    @Test("history does not stand in a birth for what is newer")
    func historyAndBirth() throws {
        let node = try node()
        _ = node.send(node.post(#""temp":5"#, time: 9000))
        _ = node.send(node.post(#""temp":1"#, time: 1000, isBackfill: true))
        node.form.disconnected()
        #expect(try node.start().last == "DBIRTH meter:m1 temp:float=5.0 [°C] set:int16=null stale")
    }

    @Test("a device that is lost is born for its history, and dies again")
    func historyOfLostDevice() throws {
        let node = try node()
        _ = node.send(node.post(#""temp":{"value":null,"quality":0,"reason":"timeout"}"#, time: 9000))
        #expect(
            node.send(node.post(#""temp":1"#, time: 1000, isBackfill: true)) == [
                "DBIRTH meter:m1 temp:float=null bad (timeout) [°C] set:int16=null stale", "DDATA meter:m1 temp=1.0@1000 historical",
                "DDEATH meter:m1",
            ])
    }

    @Test("a run of messages is one message for each device")
    func batches() throws {
        let node = try node(devices: [])
        _ = node.send(node.post(#""a":0"#, device: "p/d"), node.post(#""a":0"#, device: "p/e"))
        #expect(
            node.send(
                node.post(#""a":1"#, device: "p/d"), node.post(#""a":2"#, device: "p/e"), node.post(#""a":3"#, time: 2000, device: "p/d"))
                == ["DDATA p:d a=1@1000 a=3@2000", "DDATA p:e a=2@1000"])
    }

    @Test("a run stops before it is larger than a packet")
    func maximumBytes() throws {
        let node = try node()
        let text = String(repeating: "x", count: 400)
        let inputs = (0..<10).map { node.post(#""text":"\#(text)""#, time: Int64($0)) }
        let batch = try #require(node.form.batch(inputs, maximumBytes: 2000, now: node.now))
        #expect((1...4).contains(batch.count))
        for publish in batch.publishes { #expect(publish.payload.count + publish.topic.count < 2000) }
    }

    @Test("a single message that is larger than a packet becomes several")
    func split() throws {
        let node = try node()
        let points = (0..<20).map { #""p\#($0)":"\#(String(repeating: "x", count: 100))""# }.joined(separator: ",")
        let first = try #require(node.form.batch([node.post(points)], maximumBytes: 1000, now: node.now))
        #expect(first.publishes.count > 3 && first.count == 1)
        var metrics = 0
        for (index, publish) in first.publishes.enumerated() {
            let line = node.host.take(publish)
            // Only a birth cannot be parted.
            if index == 0 { #expect(line.hasPrefix("DBIRTH")) } else { #expect(publish.payload.count < 1000) }
            if index > 0 { metrics += line.count(where: { $0 == "=" }) }
        }
        #expect(metrics == 20)
    }

    @Test("attributes and events are metrics in folders of their own")
    func attributesAndEvents() throws {
        let node = try node(devices: [])
        #expect(
            node.send(node.input("/sys/p/d/thing/attribute/update", #"{"params":{"attributes":{"serial":"A1"}}}"#))
                == ["DBIRTH p:d Attributes/serial:string='A1'", "DDATA p:d Attributes/serial='A1'@1750000000000"])
        #expect(
            node.send(node.input("/sys/p/d/thing/event/hot/post", #"{"params":{"events":{"temp":80},"time":7000}}"#)) == [
                "DBIRTH p:d Attributes/serial:string='A1' Events/hot/temp:int64=80", "DDATA p:d Events/hot/temp=80@7000",
            ])
    }

    @Test("each post of a gateway's batch goes to its own device")
    func gatewayBatch() throws {
        let node = try node(devices: [])
        #expect(
            node.send(
                node.input(
                    "/sys/p/gw/thing/measurepoint/post/batch",
                    #"{"params":[{"productKey":"p","deviceKey":"d","measurepoints":{"a":1},"time":1},{"measurepoints":{"b":2},"time":2}]}"#))
                == ["DBIRTH p:d a:int64=1", "DDATA p:d a=1@1", "DBIRTH p:gw b:int64=2", "DDATA p:gw b=2@2"])
    }

    @Test("a message of another topic is a metric of the node, which is born anew for it")
    func otherTopics() throws {
        let node = try node()
        #expect(
            node.send(node.input("alarms/hot", #"{"t":1}"#)) == [
                #"NBIRTH bdSeq:int64=0 Node Control/Rebirth:boolean=false alarms/hot:string='{"t":1}'"#,
                "DBIRTH meter:m1 temp:float=null stale [°C] set:int16=null stale", #"NDATA alarms/hot='{"t":1}'@1750000000000"#,
            ])
        #expect(node.send(node.input("alarms/hot", "off", isBackfill: true)) == ["NDATA alarms/hot='off'@1750000000000 historical"])
    }

    @Test("commands, answers and what is no post are passed over", arguments: [
        ("/sys/p/d/thing/service/measurepoint/set", #"{"params":{"a":1}}"#), ("/sys/p/d/thing/measurepoint/post_reply", "{}"),
        ("/sys/p/d/thing/measurepoint/post", "not JSON"), ("/sys/p/d/thing/measurepoint/post", #"{"params":7}"#),
        ("/sys/p/d/thing/measurepoint/post", #"{"params":{"measurepoints":[]}}"#), ("/sys/p/d/thing/event//post", "{}"),
    ])
    func passedOver(topic: String, payload: String) throws {
        let node = try node()
        #expect(node.send(node.input(topic, payload)) == [])
    }

    @Test("a value that is an object of its own is text")
    func structure() throws {
        let node = try node(devices: [])
        _ = node.send(node.post(#""s":{"value":1,"other":2}"#, device: "p/d"))
        #expect(node.send(node.post(#""s":{"x":1}"#, time: 2000, device: "p/d")) == [#"DDATA p:d s='{"x":1}'@2000"#])
    }
}
