import Broker
import Core
import FieldBus
import Payload
import Testing

@testable import Appliance

@Suite("Questions for values")
struct ValueQuestionTests {
    private let broker = Broker(limits: BrokerLimits(), seed: 1)
    private let device = DeviceIdentifier(productKey: "meter", deviceKey: "m1")
    private let publisher: PointPublisher
    private let client: CommandClient
    private let replies: Subscriber

    init() {
        (publisher, client, replies) = ValueQuestionTests.box(broker, device, points: ["temp", "flow", "on"])
        publisher.publish(
            DeviceReading(
                device: device,
                samples: [
                    Sample(point: "temp", value: .lreal(21.5), quality: .good, time: Timestamp(milliseconds: 1000)),
                    Sample(point: "flow", value: nil, quality: .bad(.timeout), time: Timestamp(milliseconds: 3000)),
                ]), now: .zero, wall: Timestamp(milliseconds: 4000))
        broker.flush()
    }

    private static func box(
        _ broker: Broker, _ device: DeviceIdentifier, points: [String]
    ) -> (PointPublisher, CommandClient, Subscriber) {
        let publisher = PointPublisher(broker: broker, devices: [PointPublisher.Device(identifier: device, points: PointPlaces(points))])
        let client = CommandClient(broker: broker, latest: { publisher.latest(of: $0) })
        client.start(now: .zero, wall: Timestamp(milliseconds: 0))
        return (publisher, client, Subscriber.attached(to: broker, filter: "/sys/+/+/thing/service/measurepoint/get_reply"))
    }

    /// What the box answers.
    private func ask(_ params: String, device: String = "m1", method: String = "thing.service.measurepoint.get") -> [String] {
        broker.publish(
            "/sys/meter/\(device)/thing/service/measurepoint/get", #"{"id":"8","version":"1.0","method":"\#(method)","params":\#(params)}"#)
        return replies.take().map(\.payload)
    }

    private static func values(_ data: String) -> [String] { [#"{"id":"8","code":200,"data":{\#(data)},"message":""}"#] }

    private static let temp = #""temp":{"value":21.5,"quality":9,"time":1000}"#
    private static let flow = #""flow":{"value":null,"quality":0,"reason":"timeout","time":3000}"#
    private static let on = #""on":{"value":null,"quality":0,"reason":"not-yet-read"}"#

    @Test("what was read last is told with its quality and its own time, in the order of the question", arguments: [
        (#"["temp"]"#, [temp]), (#"["on","temp"]"#, [on, temp]), (#"["flow","flow"]"#, [flow]), ("[]", [temp, flow, on]),
    ])
    func values(params: String, points: [String]) {
        #expect(ask(params) == Self.values(points.joined(separator: ",")))
    }

    @Test("a value that was read again takes the place of the one before")
    func newer() {
        let sample = Sample(point: "temp", value: .lreal(22), quality: .good, time: Timestamp(milliseconds: 5000))
        publisher.publish(DeviceReading(device: device, samples: [sample]), now: .zero, wall: Timestamp(milliseconds: 5000))
        #expect(ask(#"["temp"]"#) == Self.values(#""temp":{"value":22.0,"quality":9,"time":5000}"#))
    }

    @Test("a point that the device does not have is named")
    func unknown() {
        #expect(ask(#"["temp","x","y"]"#) == [
            #"{"id":"8","code":1204,"data":{},"message":"x: the device has no such point; y: the device has no such point"}"#
        ])
    }

    @Test("what is no question is answered with its code", arguments: [
        (#"{"temp":1}"#, 1220), ("null", 1251), ("[1]", 1204),
    ])
    func refused(params: String, code: Int) {
        #expect(ask(params).map { $0.contains("\"code\":\(code),") } == [true])
        #expect(ask(#"["temp"]"#, method: "thing.service.measurepoint.set").map { $0.contains("\"code\":1260,") } == [true])
    }

    @Test("a device that is not on a bus is asked itself")
    func otherDevice() {
        #expect(ask("[]", device: "m2").isEmpty)
    }

    @Test("all points of a device are told if they are no more than an answer has room for")
    func tooMany() {
        for (count, code) in [(1000, 200), (1001, 1204)] {
            let broker = Broker(limits: BrokerLimits(), seed: 1)
            let (_, client, replies) = Self.box(broker, device, points: (1...count).map { "p\($0)" })
            broker.publish("/sys/meter/m1/thing/service/measurepoint/get", #"{"id":"8","method":"thing.service.measurepoint.get","params":[]}"#)
            withExtendedLifetime(client) { #expect(replies.take().map { $0.payload.contains("\"code\":\(code),") } == [true]) }
        }
    }
}
