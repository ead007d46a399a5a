import Core
import Payload
import Store
import TestSupport
import Testing

@testable import Bridge

@Suite("Sparkplug: commands")
struct SparkplugCommandTests {
    private func node() throws -> SparkplugNode {
        let node = SparkplugNode()
        try node.start()
        return node
    }

    private let set = #"local /sys/meter/m1/thing/service/measurepoint/set {"id":"sparkplug-1","version":"1.0","method":"thing.service.measurepoint.set","params":"#

    private func rebirth(_ value: Bool = true) -> SparkplugMetric {
        SparkplugMetric(name: "Node Control/Rebirth", dataType: .boolean, value: .boolean(value))
    }

    @Test("a rebirth is done with the bdSeq of the session")
    func rebirths() throws {
        let node = try node()
        _ = node.wait(.seconds(1))
        #expect(
            node.command("NCMD/node", rebirth()) == [
                "NBIRTH bdSeq:int64=0 Node Control/Rebirth:boolean=false", "DBIRTH meter:m1 temp:float=null stale [°C] set:int16=null stale",
            ])
    }

    @Test("of many requests for a rebirth one a second is followed")
    func rebirthStorm() throws {
        let node = try node()
        for _ in 0..<5 { #expect(node.command("NCMD/node", rebirth()) == []) }
        #expect(node.wait(.milliseconds(999)) == [])
        #expect(node.wait(.milliseconds(1)).count == 2)
        #expect(node.wait(.seconds(5)) == [])
    }

    @Test("a rebirth that is not asked for is none")
    func noRebirth() throws {
        let node = try node()
        _ = node.wait(.seconds(1))
        #expect(node.command("NCMD/node", rebirth(false)) == [])
        #expect(node.wait(.seconds(5)) == [])
    }

    @Test("what else is set of the node is refused")
    func nodeMetric() throws {
        #expect(
            try node().command("NCMD/node", SparkplugMetric(name: "Node Control/Reboot", value: .boolean(true)))
                == ["warn the host sets Node Control/Reboot of the node, which cannot be set"])
    }

    @Test("a value is set by the metric's name or its alias", arguments: [true, false])
    func sets(byName: Bool) throws {
        let node = try node()
        let metric = SparkplugMetric(name: byName ? "set" : nil, alias: byName ? nil : 2, value: .int(0xFFFD))
        #expect(node.command("DCMD/node/meter:m1", metric) == [set + #"{"set":-3}}"#])
    }

    @Test("a value is written as the point's type", arguments: [
        (FormPoint.ValueType.boolean, SparkplugWireValue.boolean(true), "true"), (.unsigned(64), .long(.max), "18446744073709551615"),
        (.unsigned(16), .int(7), "7"), (.float, .float(21.5), "21.5"), (.double, .double(-0.25), "-0.25"), (.string, .string("a\"b"), #""a\"b""#),
    ])
    func types(type: FormPoint.ValueType, value: SparkplugWireValue, expected: String) throws {
        let point = FormPoint(identifier: "set", type: type, isWritable: true)
        let node = SparkplugNode(devices: [FormDevice(product: "meter", key: "m1", points: [point])])
        try node.start()
        #expect(node.command("DCMD/node/meter:m1", SparkplugMetric(name: "set", value: value)) == [set + "{\"set\":\(expected)}}"])
    }

    @Test("what cannot be set is refused, and the rest is set")
    func refusals() throws {
        let node = try node()
        var null = SparkplugMetric(name: "set")
        null.isNull = true
        #expect(
            node.command(
                "DCMD/node/meter:m1", SparkplugMetric(name: "temp", value: .float(1)), SparkplugMetric(name: "other", value: .int(1)),
                SparkplugMetric(alias: 99, value: .int(1)), null, SparkplugMetric(name: "set", value: .string("x")),
                SparkplugMetric(name: "set", value: .int(1)), SparkplugMetric(name: "set", value: .int(2))) == [
                    "warn the host sets temp of meter/m1, which cannot be written", "warn the host sets other of meter/m1, which there is not",
                    "warn the host sets alias 99 of meter/m1, which there is not", "warn the host sets set of meter/m1 to no value of its type",
                    "warn the host sets set of meter/m1 to no value of its type", set + #"{"set":2}}"#,
                ])
    }

    @Test("what a device has written comes back as data")
    func success() throws {
        let node = try node()
        _ = node.command("DCMD/node/meter:m1", SparkplugMetric(name: "set", value: .int(5)))
        #expect(node.answer(#"{"id":"sparkplug-1","code":200,"data":{}}"#) == ["DDATA meter:m1 set=5@\(node.now.wall.milliseconds)"])
        #expect(node.answer(#"{"id":"sparkplug-1","code":200,"data":{}}"#) == [])
    }

    @Test("what a device refuses is said in the log")
    func failure() throws {
        let node = try node()
        _ = node.command("DCMD/node/meter:m1", SparkplugMetric(name: "set", value: .int(5)))
        #expect(
            node.answer(#"{"id":"sparkplug-1","code":1102,"message":"set: timeout"}"#)
                == ["warn meter/m1 refuses a command of the host for set with 1102: set: timeout"])
    }

    @Test("the answers to others' commands are not taken")
    func otherAnswers() throws {
        let node = try node()
        _ = node.command("DCMD/node/meter:m1", SparkplugMetric(name: "set", value: .int(5)))
        #expect(node.answer(#"{"id":"7","code":200}"#) == [])
        #expect(node.answer(#"{"id":"sparkplug-1","code":200}"#, device: "meter/m2") == [])
        #expect(node.answer("not JSON") == [])
    }

    @Test("a device that does not answer is named in the log")
    func timeout() throws {
        let node = try node()
        _ = node.command("DCMD/node/meter:m1", SparkplugMetric(name: "set", value: .int(5)))
        #expect(node.wait(.seconds(29)) == [])
        #expect(node.wait(.seconds(1)) == ["warn meter/m1 did not answer a command of the host for set"])
        #expect(node.answer(#"{"id":"sparkplug-1","code":200}"#) == [])
    }

    @Test("an answer that comes after the connection is gone is no data")
    func answerAfterwards() throws {
        let node = try node()
        _ = node.command("DCMD/node/meter:m1", SparkplugMetric(name: "set", value: .int(5)))
        node.form.disconnected()
        #expect(node.answer(#"{"id":"sparkplug-1","code":200}"#) == [])
    }

    @Test("points that the configuration does not know are for the device to refuse")
    func learnedPoint() throws {
        let node = try node()
        _ = node.send(node.post(#""a":1"#, device: "p/d"))
        #expect(node.command("DCMD/node/p:d", SparkplugMetric(name: "a", value: .long(2)))?.first?.hasPrefix("local /sys/p/d/thing/service/measurepoint/set") == true)
    }

    @Test("attributes cannot be set")
    func attribute() throws {
        let node = try node()
        _ = node.send(node.input("/sys/p/d/thing/attribute/update", #"{"params":{"attributes":{"serial":"A1"}}}"#))
        #expect(
            node.command("DCMD/node/p:d", SparkplugMetric(name: "Attributes/serial", value: .string("x")))
                == ["warn the host sets Attributes/serial of p/d, which cannot be written"])
    }

    @Test("a command for a device that there is not, or that cannot be read, is said in the log")
    func wrong() throws {
        let node = try node()
        #expect(node.command("DCMD/node/other", SparkplugMetric(name: "a"))?.count == 1)
        #expect(node.receive("spBv1.0/group/DCMD/node/meter:m1", [0xFF])?.count == 1)
        #expect(node.receive("spBv1.0/group/NCMD/node", [0xFF])?.count == 1)
    }

    @Test("commands that wait for answers are bounded")
    func bounded() throws {
        let node = try node()
        let metric = SparkplugMetric(name: "set", value: .int(5))
        for _ in 0..<1024 { #expect(node.command("DCMD/node/meter:m1", metric)?.first?.hasPrefix("local") == true) }
        #expect(node.command("DCMD/node/meter:m1", metric)?.first?.hasPrefix("warn too many commands") == true)
    }

    @Test("damaged commands and posts do no harm")
    func damaged() throws {
        let node = try node()
        var payload: [UInt8] = []
        SparkplugPayload(metrics: [rebirth(), SparkplugMetric(name: "set", alias: 2, value: .int(5))]).write(to: &payload)
        for bytes in payload.bitFlips {
            _ = node.receive("spBv1.0/group/DCMD/node/meter:m1", bytes)
            _ = node.receive("spBv1.0/group/NCMD/node", bytes)
        }
        let post = Array(#"{"params":{"measurepoints":{"temp":{"value":21.5,"quality":9}},"time":1000}}"#.utf8)
        for bytes in post.bitFlips {
            _ = node.send(node.input("/sys/meter/m1/thing/measurepoint/post", String(decoding: bytes, as: UTF8.self)))
        }
        _ = node.wait(.seconds(60))
    }
}
