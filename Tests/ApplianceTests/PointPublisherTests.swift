import Broker
import Core
import FieldBus
import Testing

@testable import Appliance

@Suite("Readings become posts")
struct PointPublisherTests {
    private let broker = Broker(limits: BrokerLimits(), seed: 1)
    private let device = DeviceIdentifier(productKey: "meter", deviceKey: "m1")
    private let wall = Timestamp(milliseconds: 1_700_000_009_999)

    /// The posts that readings give.
    private func posts(_ samples: [Sample], of device: DeviceIdentifier) -> (PointPublisher, [Subscriber.Received]) {
        let publisher = PointPublisher(broker: broker, devices: [PointPublisher.Device(identifier: self.device, points: PointPlaces(["on", "temp", "x"]))])
        let subscriber = Subscriber.attached(to: broker, filter: "#")
        publisher.publish(DeviceReading(device: device, samples: samples), now: .zero, wall: wall)
        broker.flush()
        return (publisher, subscriber.take())
    }

    private func sample(_ point: String, _ value: Value?, _ quality: Quality = .good, at time: Int64 = 1_700_000_000_000) -> Sample {
        Sample(point: point, value: value, quality: quality, time: Timestamp(milliseconds: time))
    }

    private func post(_ id: Int, _ points: String, at time: Int64 = 1_700_000_000_000) -> Subscriber.Received {
        Subscriber.Received(
            topic: "/sys/meter/m1/thing/measurepoint/post",
            payload: #"{"id":"\#(id)","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"#
                + "\(points)},\"time\":\(time)}}")
    }

    @Test("the samples of one reading are one post, with their source time")
    func one() throws {
        let (publisher, posts) = posts([sample("temp", .lreal(21.5)), sample("on", .bool(true))], of: device)
        #expect(posts == [post(1, #""temp":{"value":21.5,"quality":9},"on":{"value":true,"quality":9}"#)])
        #expect(publisher.samples == 2)
        let latest = try #require(publisher.latest(of: device))
        #expect(latest["temp"]?.value == .lreal(21.5) && latest["on"]?.value == .bool(true))
        #expect(latest["x"] == nil && latest.has("x") && !latest.has("y"))
    }

    @Test("a bad or uncertain value carries its reason")
    func quality() {
        let (_, posts) = posts(
            [sample("a", nil, .bad(.timeout)), sample("b", .int(3), .uncertain(.outOfRange))], of: device)
        #expect(
            posts == [
                post(
                    1,
                    #""a":{"value":null,"quality":0,"reason":"timeout"},"b":{"value":3,"quality":4,"reason":"out-of-range"}"#)
            ])
    }

    @Test("samples of different times are different posts")
    func times() {
        let (_, posts) = posts([sample("a", .int(1), at: 1000), sample("b", .int(2), at: 2000)], of: device)
        #expect(
            posts == [
                post(1, #""a":{"value":1,"quality":9}"#, at: 1000), post(2, #""b":{"value":2,"quality":9}"#, at: 2000),
            ])
    }

    @Test("a device that is not on a bus is not posted")
    func unknown() {
        let (publisher, posts) = posts([sample("a", .int(1))], of: DeviceIdentifier(productKey: "meter", deviceKey: "m2"))
        #expect(posts == [])
        #expect(publisher.samples == 0)
    }
}
