import Broker
import Core
import FieldBus
import Payload
import Testing

@testable import Appliance

@Suite("Write commands")
struct CommandClientTests {
    private let broker = Broker(limits: BrokerLimits(), seed: 1)
    private let device = DeviceIdentifier(productKey: "meter", deviceKey: "m1")
    private let client: CommandClient
    private let queue: AsyncStream<CommandClient.Command>
    private let replies: Subscriber

    init() {
        let (queue, input) = AsyncStream.makeStream(
            of: CommandClient.Command.self, bufferingPolicy: .bufferingOldest(CommandClient.maximumWaiting))
        self.queue = queue
        client = CommandClient(broker: broker, latest: { _ in nil })
        client.queues = [device: input]
        client.start(now: .zero, wall: Timestamp(milliseconds: 0))
        replies = Subscriber.attached(to: broker, filter: "/sys/+/+/thing/service/measurepoint/set_reply")
    }

    private func set(_ payload: String, device: String = "m1", retain: Bool = false) {
        broker.publish("/sys/meter/\(device)/thing/service/measurepoint/set", payload, retain: retain)
    }

    private static func command(_ params: String, id: String = "\"7\"", method: String = "thing.service.measurepoint.set") -> String {
        #"{"id":\#(id),"version":"1.0","method":"\#(method)","params":\#(params)}"#
    }

    private func reply(_ code: Int, id: String = "\"7\"", _ message: String) -> Subscriber.Received {
        Subscriber.Received(
            topic: "/sys/meter/m1/thing/service/measurepoint/set_reply",
            payload: #"{"id":\#(id),"code":\#(code),"data":{},"message":"\#(message)"}"#)
    }

    /// The reply to a command that ended so at the device.
    private func reply(after outcomes: [WriteOutcome]) async throws -> [Subscriber.Received] {
        set(Self.command(#"{"setpoint":21.5}"#))
        var iterator = queue.makeAsyncIterator()
        let command = try #require(await iterator.next())
        client.finish(command, outcomes.enumerated().map { WriteResult(point: "p\($0.offset)", outcome: $0.element) })
        broker.flush()
        return replies.take()
    }

    @Test("a command reaches its bus with its values in order, and is not answered before it is done")
    func queued() async throws {
        set(Self.command(#"{"setpoint":21.5,"pump":true,"mode":3,"label":"x"}"#, id: "12"))
        #expect(replies.take() == [])
        var iterator = queue.makeAsyncIterator()
        let command = try #require(await iterator.next())
        #expect(command.device == device)
        #expect(
            command.values == [
                PointValue(point: "setpoint", value: .lreal(21.5)), PointValue(point: "pump", value: .bool(true)),
                PointValue(point: "mode", value: .int(3)), PointValue(point: "label", value: .string("x")),
            ])
        client.finish(command, command.values.map { WriteResult(point: $0.point, outcome: .written) })
        broker.flush()
        #expect(replies.take() == [reply(200, id: "12", "")])
    }

    @Test("how the write ended is the reply's code", arguments: [
        ([.written, .written], 200, ""),
        ([.readOnly], 1204, "p0: the point is read-only"),
        ([.unknownPoint], 1204, "p0: the device has no such point"),
        ([.outOfRange], 1204, "p0: the value is out of the point's range"),
        ([.written, .failed(.timeout)], 1102, "p1: the device did not take the value: timeout"),
        ([.busy], 1102, "p0: too many writes wait for this bus; try again later"),
        (
            [.readOnly, .failed(.timeout)], 1102,
            "p0: the point is read-only; p1: the device did not take the value: timeout"
        ),
    ] as [([WriteOutcome], Int, String)])
    func codes(outcomes: [WriteOutcome], code: Int, message: String) async throws {
        #expect(try await reply(after: outcomes) == [reply(code, message)])
    }

    @Test("what is not a command is answered at once", arguments: [
        ("{", 1220), ("[]", 1220), ("", 1251), (command("{}"), 1251),
        (command(#"{"a":1}"#, method: "thing.measurepoint.post"), 1260), (command(#"{"a":[1]}"#), 1204),
    ])
    func refused(payload: String, code: Int) throws {
        set(payload)
        let replies = replies.take()
        #expect(replies.count == 1)
        #expect(try #require(replies.first).payload.contains("\"code\":\(code),"))
        let hasIdentifier = payload.contains("\"id\"")
        #expect(try #require(replies.first).payload.hasPrefix(hasIdentifier ? "{\"id\":\"7\"," : "{\"id\":null,"))
    }

    @Test("a command for a device that is not on a bus is the device's own to answer")
    func otherDevice() {
        set(Self.command(#"{"a":1}"#), device: "m2")
        #expect(replies.take() == [])
        #expect(client.commands == 0)
    }

    @Test("a command too many is refused")
    func tooMany() {
        for number in 0...CommandClient.maximumWaiting { set(Self.command(#"{"a":1}"#, id: "\(number)")) }
        #expect(
            replies.take() == [
                reply(1102, id: "\(CommandClient.maximumWaiting)", "too many commands wait for this bus; try again later")
            ])
    }

    @Test("a retained command is not carried out again at the start")
    func retained() {
        set(Self.command(#"{"a":1}"#), device: "m1", retain: true)
        #expect(client.commands == 1)
        let broker = Broker(limits: BrokerLimits(), seed: 2)
        broker.publish("/sys/meter/m1/thing/service/measurepoint/set", Self.command(#"{"a":1}"#), retain: true)
        let (_, input) = AsyncStream.makeStream(of: CommandClient.Command.self)
        let second = CommandClient(broker: broker, latest: { _ in nil })
        second.queues = [device: input]
        second.start(now: .zero, wall: Timestamp(milliseconds: 0))
        broker.flush()
        #expect(second.commands == 0)
    }
}
