import Core
import MQTTCodec
import Testing

@testable import Broker

@Suite("Message trail")
struct MessageTrailTests {
    /// What a box makes of a message; nil if it drops it.
    private func pass(_ trail: inout MessageTrail, _ topic: String, _ properties: [UInt8] = []) -> [UInt8]? {
        Array(topic.utf8).withUnsafeBytes { topic in
            properties.withUnsafeBytes { properties in
                switch trail.admit(topic: topic, properties: properties) {
                case .known: nil
                case .unmarked: Array(properties)
                case .new(let marked): marked
                }
            }
        }
    }

    private func property(_ name: String, _ value: String) -> [UInt8] {
        func field(_ text: String) -> [UInt8] { [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + Array(text.utf8) }
        return [0x26] + field(name) + field(value)
    }

    private func box(_ name: String, hops: Int = 4) -> MessageTrail { MessageTrail(name: name, maximumHops: hops, run: 35) }

    @Test("the first box gives a message a number and its own name, behind the properties that there are")
    func first() {
        var a = box("a")
        let content: [UInt8] = [0x01, 1, 0x03, 0, 1, 0x78]
        #expect(pass(&a, "t", content) == content + property("martlet-trail", "a.z.1/a"))
        #expect(pass(&a, "t") == property("martlet-trail", "a.z.2/a"))
    }

    @Test("each further box adds its name, once, and leaves the other properties in their order")
    func further() throws {
        var b = box("b")
        let marked = property("k", "1") + property("martlet-trail", "a.z.1/a") + property("k", "2")
        #expect(pass(&b, "t", marked) == property("k", "1") + property("k", "2") + property("martlet-trail", "a.z.1/a/b"))
    }

    @Test("a ring of three takes each message once, wherever it begins")
    func ring() throws {
        var boxes = [box("a"), box("b"), box("c")]
        for start in 0..<3 {
            var properties: [UInt8]? = []
            var taken = 0
            for step in 0..<6 {
                properties = pass(&boxes[(start + step) % 3], "t", try #require(properties))
                guard properties != nil else { break }
                taken += 1
            }
            #expect(taken == 3)
        }
    }

    @Test("what comes on two ways is taken once, but under two topics twice")
    func twoWays() {
        var c = box("c")
        #expect(pass(&c, "t", property("martlet-trail", "a.z.1/a")) != nil)
        #expect(pass(&c, "t", property("martlet-trail", "a.z.1/a/b")) == nil)
        #expect(pass(&c, "u", property("martlet-trail", "a.z.1/a/b")) != nil)
        #expect(pass(&c, "t", property("martlet-trail", "a.z.2/a")) != nil)
    }

    @Test("a message that has gone through as many boxes as it may is dropped")
    func bounded() {
        var d = box("d", hops: 3)
        #expect(pass(&d, "t", property("martlet-trail", "a.z.1/a/b")) != nil)
        #expect(pass(&d, "t", property("martlet-trail", "a.z.2/a/b/c")) == nil)
    }

    @Test("a name that only begins like the box's is another box")
    func similarName() {
        var a = box("box-1")
        #expect(pass(&a, "t", property("martlet-trail", "box-10.z.1/box-10")) != nil)
    }

    @Test("the server's own topics are not marked")
    func systemTopics() {
        var a = box("a")
        #expect(pass(&a, "$SYS/uptime") == [])
    }

    @Test("a box that begins trails for some topics leaves other messages alone, and knows every trail that there is")
    func someTopics() {
        var a = MessageTrail(name: "a", maximumHops: 4, run: 35) { $0.elementsEqual("t".utf8) }
        #expect(pass(&a, "t") == property("martlet-trail", "a.z.1/a"))
        #expect(pass(&a, "u", property("k", "v")) == property("k", "v"))
        #expect(pass(&a, "u", property("martlet-trail", "b.z.1/b")) == property("martlet-trail", "b.z.1/b/a"))
        #expect(pass(&a, "u", property("martlet-trail", "b.z.2/b/a/c")) == nil)
    }

    @Test("what is remembered has a bound")
    func memory() {
        var b = box("b")
        for number in 0...MessageTrail.memory { _ = pass(&b, "t", property("martlet-trail", "a.z.\(number)/a")) }
        #expect(pass(&b, "t", property("martlet-trail", "a.z.0/a")) != nil)
        #expect(pass(&b, "t", property("martlet-trail", "a.z.\(MessageTrail.memory)/a")) == nil)
    }

    @Test("properties cut at any byte, or with a trail that is none, are taken without harm")
    func damaged() {
        var a = box("a")
        let whole = [0x01, 1] + property("k", "v") + property("martlet-trail", "b.z.1/b")
        for count in 0..<whole.count { #expect(pass(&a, "t\(count)", Array(whole[..<count])) != nil) }
        for text in ["", "/", "//", String(repeating: "x", count: 5000)] {
            #expect(pass(&a, "u\(text.count)", property("martlet-trail", text)) != nil)
        }
    }

    @Test("the broker drops what has been here, counts it and acknowledges it")
    func broker() {
        let harness = BrokerHarness()
        harness.broker.trail = box("a")
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "t")
        let publisher = harness.connect("p")
        harness.publish(publisher, "t", "new", qos: .atLeastOnce)
        harness.settle()
        let received = subscriber.takePublishes()
        #expect(received.map { $0.message.withProperties { Array($0) } } == [property("martlet-trail", "a.z.1/a")])
        let back = property("martlet-trail", "a.z.1/a/b")
        _ = publisher.take()
        Array("t".utf8).withUnsafeBytes { topic in
            back.withUnsafeBytes { properties in
                harness.broker.publish(
                    Broker.Publish(
                        topic: topic, properties: properties, payload: topic, qos: .atLeastOnce, retain: true, packetIdentifier: 2,
                        messageExpiryInterval: nil), from: publisher, now: harness.now, wall: harness.wall)
            }
        }
        harness.settle()
        #expect(subscriber.takePublishes().isEmpty)
        #expect(publisher.take().count == 1)
        #expect(harness.broker.statistics.drops[.returned] == 1)
    }
}
