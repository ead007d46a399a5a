import Core
import Payload
import Testing

@testable import Bridge

@Suite("Sparkplug: the primary host")
struct SparkplugHostTests {
    private let topic = "spBv1.0/STATE/scada"

    private func node() throws -> SparkplugNode {
        let node = SparkplugNode(devices: []) { $0.primaryHost = "scada" }
        #expect(try node.start() == [])
        return node
    }

    @Test("nothing is sent until the host is online")
    func waits() throws {
        let node = try node()
        #expect(node.send(node.post(#""a":1"#)) == nil)
        #expect(node.receive(topic, #"{"online":false,"timestamp":1000}"#) == [])
        #expect(node.send(node.post(#""a":1"#)) == nil)
        #expect(node.receive(topic, #"{"online":true,"timestamp":1000}"#) == ["NBIRTH bdSeq:int64=0 Node Control/Rebirth:boolean=false"])
        #expect(node.send(node.post(#""a":1"#)) != nil)
    }

    @Test("a state that comes before the subscriptions are acknowledged counts")
    func early() throws {
        let node = SparkplugNode(devices: []) { $0.primaryHost = "scada" }
        _ = try node.connect()
        _ = node.form.connected(sessionPresent: false, now: node.now)
        #expect(node.receive(topic, #"{"online":true,"timestamp":1000}"#) == [])
        #expect(node.lines(node.form.subscribed(now: node.now)).count == 1)
    }

    @Test("when the host goes offline the node dies and connects anew")
    func goesOffline() throws {
        let node = try node()
        _ = node.receive(topic, #"{"online":true,"timestamp":1000}"#)
        #expect(node.receive(topic, #"{"online":false,"timestamp":2000}"#) == ["NDEATH bdSeq=0", "reconnect"])
        #expect(node.send(node.post(#""a":1"#)) == nil)
        #expect(node.form.farewell(now: node.now) == [])
        node.form.disconnected()
        #expect(try node.start() == [])
        #expect(node.receive(topic, #"{"online":false,"timestamp":2000}"#) == [])
        #expect(node.receive(topic, #"{"online":true,"timestamp":3000}"#) == ["NBIRTH bdSeq:int64=1 Node Control/Rebirth:boolean=false"])
    }

    @Test("a state older than the last one is of no account")
    func older() throws {
        let node = try node()
        _ = node.receive(topic, #"{"online":true,"timestamp":2000}"#)
        #expect(node.receive(topic, #"{"online":false,"timestamp":1999}"#) == [])
        #expect(node.send(node.post(#""a":1"#)) != nil)
    }

    @Test("the host's state of another connection is forgotten")
    func forgotten() throws {
        let node = try node()
        _ = node.receive(topic, #"{"online":true,"timestamp":2000}"#)
        node.form.disconnected()
        #expect(try node.start() == [])
        #expect(node.receive(topic, #"{"online":true,"timestamp":1000}"#)?.count == 1)
    }

    @Test("a host of Sparkplug 2.2 is understood")
    func version22() throws {
        let node = try node()
        #expect(node.receive("STATE/scada", "OFFLINE") == [])
        #expect(node.receive("STATE/scada", "ONLINE")?.count == 1)
        #expect(node.receive("STATE/scada", "OFFLINE") == ["NDEATH bdSeq=0", "reconnect"])
    }

    @Test("what a host says as of 3.0 stands against what it said as of 2.2")
    func version3Wins() throws {
        let node = try node()
        _ = node.receive(topic, #"{"online":true,"timestamp":1000}"#)
        #expect(node.receive("STATE/scada", "OFFLINE") == [])
    }

    @Test("a state that cannot be read changes nothing", arguments: [
        "", "ONLINE", "{}", #"{"online":true}"#, #"{"online":"true","timestamp":1}"#, #"{"online":true,"timestamp":"1"}"#, "[true]", "\u{FF}",
    ])
    func malformed(payload: String) throws { #expect(try node().receive(topic, payload) == []) }

    @Test("the log says once that the host is silent")
    func silence() throws {
        let node = try node()
        #expect(node.wait(.seconds(29)) == [])
        #expect(node.wait(.seconds(1)) == ["warn nothing is sent until the primary host says at spBv1.0/STATE/scada that it is online"])
        #expect(node.wait(.seconds(60)) == [])
    }

    @Test("another host's state is none of the form's")
    func otherHost() throws {
        let node = try node()
        #expect(node.receive("spBv1.0/STATE/other", #"{"online":true,"timestamp":1}"#) == nil)
        #expect(node.receive("site/7/x", "1") == nil)
    }
}
