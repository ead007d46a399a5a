import Core
import MQTTCodec
import Payload
import Testing

@testable import Bridge

@Suite("Sparkplug: births and deaths")
struct SparkplugBirthTests {
    private static let nodeBirth = "NBIRTH bdSeq:int64=0 Node Control/Rebirth:boolean=false"
    private static let meterBirth = "DBIRTH meter:m1 temp:float=null stale [°C] set:int16=null stale"

    @Test("the will is the node's death, with no session kept")
    func will() throws {
        let node = SparkplugNode()
        let packet = try node.connect(version: .v5)
        #expect(packet.cleanStart && packet.properties.sessionExpiryInterval == 0)
        let will = try #require(packet.will)
        #expect(will.topic == "spBv1.0/group/NDEATH/node" && will.qos == .atLeastOnce && !will.retain && will.delayInterval == 0)
        let death = try will.payload.withUnsafeBytes { try SparkplugPayload.read($0) }
        #expect(death.sequence == nil && death.timestamp != nil)
        #expect(death.metrics.map(\.name) == ["bdSeq"] && death.metrics[0].value == .long(0) && death.metrics[0].dataType == .int64)
    }

    @Test("births wait for the subscriptions")
    func order() throws {
        let node = SparkplugNode()
        _ = try node.connect()
        #expect(node.lines(node.form.connected(sessionPresent: false, now: node.now)) == [])
        #expect(node.send(node.post(#""temp":1"#)) == nil)
        #expect(node.lines(node.form.subscribed(now: node.now)) == [Self.nodeBirth, Self.meterBirth])
    }

    @Test("what hosts send is subscribed to with QoS 1")
    func subscriptions() {
        let requests = SparkplugNode { $0.primaryHost = "scada" }.form.subscriptions
        #expect(requests.map(\.filter) == ["spBv1.0/group/NCMD/node", "spBv1.0/group/DCMD/node/+", "spBv1.0/STATE/scada", "STATE/scada"])
        #expect(requests.allSatisfy { $0.options.qos == .atLeastOnce })
    }

    @Test("bdSeq counts the CONNECTs, after 255 comes 0, and birth and will agree")
    func deathNumber() throws {
        let node = SparkplugNode()
        for expected in 0...256 {
            let packet = try node.connect()
            let death = try #require(packet.will).payload.withUnsafeBytes { try? SparkplugPayload.read($0) }
            _ = node.lines(node.form.connected(sessionPresent: false, now: node.now))
            _ = node.lines(node.form.subscribed(now: node.now))
            #expect(node.host.deathNumber == UInt64(expected % 256))
            #expect(death?.metrics.first?.value == .long(UInt64(expected % 256)))
            node.form.disconnected()
        }
    }

    @Test("bdSeq goes on after a restart, whatever became of the last connection", arguments: [("0", 1), ("17", 18), ("255", 0)])
    func deathNumberKept(_ kept: String, _ expected: Int) throws {
        let node = SparkplugNode()
        node.form.kept = Array(kept.utf8)
        #expect(try node.start().first == "NBIRTH bdSeq:int64=\(expected) Node Control/Rebirth:boolean=false")
        #expect(node.form.keeps == .state && node.form.kept == Array("\(expected)".utf8))
        #expect(node.form.farewell(now: node.now).map { node.host.take($0) } == ["NDEATH bdSeq=\(expected)"])
    }

    @Test("a CONNECT that was not sent leaves its number to the next one, and one without an answer takes it along")
    func deathNumberUnsent() throws {
        let node = SparkplugNode()
        for _ in 1...3 { _ = try node.prepare() }
        #expect(node.form.kept == Array("0".utf8))
        _ = try node.connect()
        node.form.disconnected()
        #expect(try node.start().first == "NBIRTH bdSeq:int64=1 Node Control/Rebirth:boolean=false")
    }

    @Test("what was kept and is no number begins anew", arguments: ["", "256", "-1", "x"])
    func deathNumberDamaged(_ kept: String) throws {
        let node = SparkplugNode()
        node.form.kept = Array(kept.utf8)
        #expect(try node.start().first == "NBIRTH bdSeq:int64=0 Node Control/Rebirth:boolean=false")
    }

    @Test("messages are counted mod 256 over the node and its devices")
    func sequence() throws {
        let node = SparkplugNode()
        try node.start()
        for time in 1...600 {
            let lines = node.send(node.post(#""temp":\#(time)"#, time: Int64(time)))
            #expect(lines == ["DDATA meter:m1 temp=\(Float(time))@\(time)"])
        }
    }

    @Test("a farewell is the death that belongs to the birth, and is said once")
    func farewell() throws {
        let node = SparkplugNode()
        #expect(node.form.farewell(now: node.now) == [])
        try node.start()
        let deaths = node.form.farewell(now: node.now)
        #expect(deaths.map(\.qos) == [.atLeastOnce])
        #expect(deaths.map { node.host.take($0) } == ["NDEATH bdSeq=0"])
        #expect(node.form.farewell(now: node.now) == [])
        #expect(node.send(node.post(#""temp":1"#)) == nil)
    }

    @Test("a birth tells the last values with their own times")
    func lastValues() throws {
        let node = SparkplugNode()
        try node.start()
        _ = node.send(node.post(#""temp":{"value":21.5,"quality":9},"set":{"value":-3,"quality":4}"#))
        node.form.disconnected()
        #expect(
            try node.start() == [
                "NBIRTH bdSeq:int64=1 Node Control/Rebirth:boolean=false", "DBIRTH meter:m1 temp:float=21.5 [°C] set:int16=-3 stale",
            ])
    }

    @Test("a device that the configuration does not know is born with its first values")
    func learnedDevice() throws {
        let node = SparkplugNode()
        try node.start()
        #expect(
            node.send(node.post(#""on":true,"n":5,"x":1.5,"text":"a","list":[1,2],"none":null"#, device: "other/o1")) == [
                "DBIRTH other:o1 on:boolean=true n:int64=5 x:double=1.5 text:string='a' list:string='[1,2]'",
                "DDATA other:o1 on=true@1000 n=5@1000 x=1.5@1000 text='a'@1000 list='[1,2]'@1000",
            ])
        #expect(node.send(node.post(#""n":6"#, time: 2000, device: "other/o1")) == ["DDATA other:o1 n=6@2000"])
    }

    @Test("a device is born anew when it has a new metric")
    func newMetric() throws {
        let node = SparkplugNode()
        try node.start()
        _ = node.send(node.post(#""a":1"#, device: "other/o1"))
        #expect(
            node.send(node.post(#""b":2"#, time: 2000, device: "other/o1")) == [
                "DBIRTH other:o1 a:int64=1 b:int64=2", "DDATA other:o1 b=2@2000",
            ])
    }

    @Test("a metric that needs a wider type is born anew with it, before the data")
    func widening() throws {
        let node = SparkplugNode()
        try node.start()
        _ = node.send(node.post(#""a":-1,"b":18446744073709551615"#, device: "other/o1"))
        #expect(
            node.send(
                node.post(#""a":2"#, time: 2000, device: "other/o1"), node.post(#""a":2.5"#, time: 3000, device: "other/o1"),
                node.post(#""b":"x""#, time: 3000, device: "other/o1")) == [
                    "DBIRTH other:o1 a:double=2.5 b:string='x'", "DDATA other:o1 a=2.0@2000 a=2.5@3000 b='x'@3000",
                ])
        #expect(node.send(node.post(#""a":4"#, time: 4000, device: "other/o1")) == ["DDATA other:o1 a=4.0@4000"])
    }

    @Test("a device none of whose points can be reached dies, once, and is born again when it can be")
    func lostDevice() throws {
        let node = SparkplugNode()
        try node.start()
        let lost = #""temp":{"value":null,"quality":0,"reason":"timeout"},"set":{"value":null,"quality":0,"reason":"timeout"}"#
        _ = node.send(node.post(#""temp":{"value":1,"quality":9},"set":{"value":2,"quality":9}"#))
        #expect(
            node.send(node.post(lost, time: 2000)) == [
                "DDATA meter:m1 temp=null@2000 bad (timeout) set=null@2000 bad (timeout)", "DDEATH meter:m1",
            ])
        #expect(node.send(node.post(lost, time: 3000)) == [])
        #expect(
            node.send(node.post(#""temp":{"value":3,"quality":9}"#, time: 4000)) == [
                "DBIRTH meter:m1 temp:float=3.0 [°C] set:int16=null bad (timeout)", "DDATA meter:m1 temp=3.0@4000",
            ])
    }

    @Test("a device some of whose points fail lives")
    func partlyLost() throws {
        let node = SparkplugNode()
        try node.start()
        _ = node.send(node.post(#""temp":{"value":1,"quality":9},"set":{"value":2,"quality":9}"#))
        #expect(
            node.send(node.post(#""temp":{"value":null,"quality":0,"reason":"timeout"}"#, time: 2000))
                == ["DDATA meter:m1 temp=null@2000 bad (timeout)"])
        #expect(
            node.send(node.post(#""set":{"value":null,"quality":0,"reason":"illegal-data-address"}"#, time: 2000))
                == ["DDATA meter:m1 set=null@2000 bad (illegal-data-address)"])
    }

    @Test("a device that is lost is not born at a rebirth")
    func lostAtRebirth() throws {
        let node = SparkplugNode()
        try node.start()
        _ = node.send(node.post(#""temp":{"value":null,"quality":0,"reason":"not-connected"}"#))
        node.form.disconnected()
        #expect(try node.start() == ["NBIRTH bdSeq:int64=1 Node Control/Rebirth:boolean=false"])
    }

    @Test("of two devices that would have one name the second is left out, and the log says so")
    func sameName() throws {
        let node = SparkplugNode { $0.deviceName = "${device}" }
        try node.start()
        #expect(node.send(node.post(#""a":1"#, device: "other/m1")) == [])
        #expect(node.wait(.seconds(1)) == ["warn devices meter/m1 and other/m1 would both be called m1; the second is left out"])
    }

    @Test("with qos = 1 births and data are sent with it")
    func qos() throws {
        let node = SparkplugNode { $0.qos = .atLeastOnce }
        _ = try node.connect()
        _ = node.form.connected(sessionPresent: false, now: node.now)
        for case .publishUpstream(let publish) in node.form.subscribed(now: node.now) { #expect(publish.qos == .atLeastOnce) }
        #expect(node.form.batch([node.post(#""temp":1"#)], maximumBytes: 1000, now: node.now)?.publishes.map(\.qos) == [.atLeastOnce])
    }
}
