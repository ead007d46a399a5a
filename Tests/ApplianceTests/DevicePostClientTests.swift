import Broker
import Configuration
import Core
import FieldBus
import Logging
import Testing

@testable import Appliance

@Suite("Calculated points of devices that post by themselves")
struct DevicePostClientTests {
    private let broker = Broker(limits: BrokerLimits(), seed: 1)
    private let wall = Timestamp(milliseconds: 9_999)

    private static let points = """
        [[product]]
        key = "p"
        group = [{name = "g"}]
        [[product.point]]
        identifier = "a"
        type = "LREAL"
        maximum = 100
        stale-after = "5s"
        [[product.point]]
        identifier = "state"
        type = "UINT"
        enumeration = { 0 = "off", 1 = "on" }
        [[product.point]]
        identifier = "double"
        type = "LREAL"
        expression = "a * 2"
        [[product.point]]
        identifier = "running"
        type = "BOOL"
        expression = "state = 'on'"
        report = "on-change"

        """

    /// The client at work, and a subscriber to everything.
    private func started(_ more: String = "") throws -> (DevicePostClient, Subscriber) {
        let plan = try AppliancePlan(MartletConfiguration.decode(text: Self.points + more, file: "m", drivers: Drivers.catalogue))
        let client = DevicePostClient(broker: broker, logger: Logger(label: "test"))
        client.start(plan.postingProducts, busDevices: plan.buses.flatMap(\.deviceIdentifiers), now: .zero, wall: wall)
        return (client, Subscriber.attached(to: broker, filter: "#"))
    }

    private func post(_ params: String, topic: String = "/sys/p/d/thing/measurepoint/post") {
        let payload = Array(#"{"id":"1","version":"1.1","method":"thing.measurepoint.post","params":\#(params)}"#.utf8)
        broker.publish(
            Message.create(topic: topic, payload: payload, qos: .atLeastOnce, retain: false, publishedAt: wall), now: .zero, wall: wall)
        broker.flush()
    }

    private func added(_ id: Int, _ points: String, time: Int = 1000) -> Subscriber.Received {
        Subscriber.Received(
            topic: "/sys/p/d/thing/measurepoint/post",
            payload: #"{"id":"\#((1 << 62) + id)","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"#
                + #"\#(points)},"time":\#(time)}}"#)
    }

    @Test("the device's post stays as it is, and what is calculated is a post of its own")
    func additional() throws {
        let (client, subscriber) = try started()
        let own = #"{"measurepoints":{"a":21,"other":"x"},"time":1000}"#
        post(own)
        let received = subscriber.take()
        #expect(received.count == 2 && received[0].payload.hasSuffix(own + "}"))
        #expect(received.last == added(0, #""double":{"value":42.0,"quality":9}"#))
        #expect(client.samples == 1)
    }

    @Test("limits and texts of the device's points hold for what is calculated")
    func limits() throws {
        let (_, subscriber) = try started()
        post(#"{"measurepoints":{"a":{"value":200,"quality":9},"state":1},"time":1000}"#)
        #expect(
            subscriber.take().last
                == added(0, #""double":{"value":null,"quality":0,"reason":"out-of-range"},"running":{"value":true,"quality":9}"#))
    }

    @Test("a calculated point that has not changed is left out where it says so")
    func onChange() throws {
        let (_, subscriber) = try started()
        for state in [1, 1, 0] { post(#"{"measurepoints":{"state":\#(state)},"time":1000}"#) }
        #expect(subscriber.take().count { $0.payload.contains("running") } == 2)
    }

    @Test("of a batch each device's values are taken, whoever sent it")
    func batch() throws {
        let (_, subscriber) = try started()
        post(
            #"[{"productKey":"p","deviceKey":"e","measurepoints":{"a":1},"time":1000},{"measurepoints":{"a":2},"time":1000}]"#,
            topic: "/sys/p/d/thing/measurepoint/post/batch")
        let received = subscriber.take().dropFirst()
        #expect(received.map(\.topic) == ["/sys/p/e/thing/measurepoint/post", "/sys/p/d/thing/measurepoint/post"])
        #expect(received.first?.payload.contains(#""double":{"value":2.0"#) == true)
    }

    @Test("history, other products, garbage and devices of a bus are not calculated with")
    func others() throws {
        let (client, subscriber) = try started(
            """
            [[product]]
            key = "q"
            [[bus]]
            name = "b"
            protocol = "modbus-tcp"
            host = "h"
            [[product.group]]
            name = "g"
            [[product.point]]
            identifier = "a"
            type = "INT"
            area = "input-register"
            address = 0
            [[product.point]]
            identifier = "x"
            type = "INT"
            expression = "a + 1"
            [[device]]
            product = "q"
            key = "d"
            bus = "b"
            """)
        let values = #"{"measurepoints":{"a":1},"time":1000}"#
        post(values, topic: "/sys/p/d/thing/measurepoint/resume")
        post(values, topic: "/sys/r/d/thing/measurepoint/post")
        post(values, topic: "/sys/q/d/thing/measurepoint/post")
        post("]", topic: "/sys/p/d/thing/measurepoint/post")
        #expect(subscriber.take().count == 4 && client.samples == 0)
    }

    @Test("a value that has become old is said again once, uncertain, with what is calculated of it")
    func stale() throws {
        let (client, subscriber) = try started()
        post(#"{"measurepoints":{"a":21},"time":1000}"#)
        _ = subscriber.take()
        let later = SystemClock.monotonic() + .seconds(6)
        for moment in [later, later + .seconds(6)] { client.tick(now: moment, wall: wall) }
        broker.flush()
        #expect(
            subscriber.take() == [
                added(1, #""a":{"value":21.0,"quality":4,"reason":"stale"},"double":{"value":42.0,"quality":4,"reason":"stale"}"#)
            ])
    }

    @Test("started anew, it still knows the values of products that are as they were", arguments: [true, false])
    func keeps(isSame: Bool) throws {
        let (client, subscriber) = try started()
        post(#"{"measurepoints":{"a":21},"time":1000}"#)
        _ = subscriber.take()
        let plan = try AppliancePlan(MartletConfiguration.decode(text: Self.points, file: "m", drivers: Drivers.catalogue))
        client.start(plan.postingProducts, busDevices: [], keeping: isSame ? ["p"] : [], now: .zero, wall: wall)
        client.tick(now: SystemClock.monotonic() + .seconds(6), wall: wall)
        broker.flush()
        #expect(subscriber.take().count == (isSame ? 1 : 0))
    }

    @Test("started anew, it calculates what it is told then")
    func again() throws {
        let (client, subscriber) = try started()
        client.start([], busDevices: [], now: .zero, wall: wall)
        post(#"{"measurepoints":{"a":21},"time":1000}"#)
        #expect(subscriber.take().count == 1)
        let plan = try AppliancePlan(MartletConfiguration.decode(text: Self.points, file: "m", drivers: Drivers.catalogue))
        client.start(plan.postingProducts, busDevices: [], now: .zero, wall: wall)
        post(#"{"measurepoints":{"a":21},"time":1000}"#)
        #expect(subscriber.take().count == 2)
    }

    @Test("keys that only the box's own posts can have are refused", arguments: ["report = \"on-change\"", "report = \"always\""])
    func refused(key: String) {
        let error = #expect(throws: ConfigurationErrors.self) {
            _ = try MartletConfiguration.decode(
                text: Self.points.replacing("maximum = 100", with: key), file: "m", drivers: Drivers.catalogue)
        }
        #expect(
            error?.errors.map(\.description) == [
                "m:7:10: report has a meaning only when a bus reads the point or it has an expression"
            ])
    }
}
