import Core
import MQTTCodec
import Store
import TestSupport
import Testing

@testable import Bridge

/// A form with an upstream: a message becomes `topic payload`, one for the local broker `local topic payload`.
private final class Gateway {
    let form: ThingsBoardForm
    var now = Moment(wall: Timestamp(milliseconds: 1_750_000_000_000), monotonic: MonotonicTime(nanoseconds: 1_000_000_000))

    static let meter = FormDevice(
        product: "meter", key: "m1",
        points: [
            FormPoint(identifier: "temp", type: .float), FormPoint(identifier: "set", type: .float, isWritable: true),
            FormPoint(identifier: "pump", type: .boolean, isWritable: true),
        ])

    init(devices: [FormDevice] = [meter], _ change: (inout ThingsBoardConfiguration) -> Void = { _ in }) {
        var configuration = ThingsBoardConfiguration()
        change(&configuration)
        form = ThingsBoardForm(configuration: configuration, devices: devices)
    }

    @discardableResult
    func start() -> [String] { lines(form.connected(sessionPresent: false, now: now)) + lines(form.subscribed(now: now)) }

    func line(_ publish: FormPublish) -> String {
        #expect(publish.qos == .atLeastOnce && !publish.retain)
        return "\(String(decoding: publish.topic, as: UTF8.self)) \(String(decoding: publish.payload, as: UTF8.self))"
    }

    func lines(_ effects: [FormEffect]) -> [String] {
        effects.map { effect in
            switch effect {
            case .publishUpstream(let publish): line(publish)
            case .publishLocal(let publish): "local \(line(publish))"
            case .subscribe: "subscribe"
            case .reconnect(let text): "reconnect \(text)"
            case .keep: "keep"
            case .warn(let text): "warn \(text)"
            }
        }
    }

    func wait(_ duration: Duration) -> [String] {
        now.monotonic += duration
        return lines(form.tick(now: now))
    }

    func input(_ topic: String, _ payload: String) -> FormInput {
        FormInput(
            message: Message.create(topic: topic, payload: Array(payload.utf8), qos: .atLeastOnce, publishedAt: Timestamp(milliseconds: 5000)),
            isBackfill: false, sequence: 1)
    }

    func post(_ points: String, time: Int64 = 1000, device: String = "meter/m1") -> FormInput {
        input("/sys/\(device)/thing/measurepoint/post", #"{"id":"1","params":{"measurepoints":{\#(points)},"time":\#(time)}}"#)
    }

    func send(_ inputs: FormInput..., maximumBytes: Int = 1 << 20) -> (lines: [String], count: Int)? {
        form.batch(inputs, maximumBytes: maximumBytes, now: now).map { ($0.publishes.map(line), $0.count) }
    }

    func receive(_ topic: String, _ payload: String) -> [String]? {
        Array(topic.utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { form.received(topic: topic, payload: $0, now: now) }
        }.map { lines($0) }
    }

    func call(_ method: String, _ params: String? = nil, device: String = "meter/m1") -> [String]? {
        let params = params.map { ",\"params\":\($0)" } ?? ""
        return receive("v1/gateway/rpc", #"{"device":"\#(device)","data":{"id":7,"method":"\#(method)"\#(params)}}"#)
    }

    func answer(_ topic: String, _ payload: String) -> [String] {
        guard form.localFilters.contains(where: { $0.matches(topic) }) else { return ["not heard"] }
        return lines(form.local(Message.create(topic: topic, payload: Array(payload.utf8), qos: .atLeastOnce, publishedAt: now.wall), now: now))
    }
}

@Suite("ThingsBoard: the connection and what goes up")
struct ThingsBoardFormTests {
    private func packet(user: String? = nil) -> ConnectPacket {
        ConnectPacket(version: .v311, clientIdentifier: "box", cleanStart: false, keepAlive: 60, userName: user, password: [1])
    }

    @Test("the access token is the user")
    func token() throws {
        var packet = packet()
        try Gateway().form.prepare(&packet, secret: Array("A1_TOKEN\n".utf8), now: Gateway().now)
        #expect(packet.userName == "A1_TOKEN" && packet.password == nil)
    }

    @Test("a user of the configuration stays")
    func basic() throws {
        var packet = packet(user: "box")
        try Gateway().form.prepare(&packet, secret: [2], now: Gateway().now)
        #expect(packet.userName == "box" && packet.password == [1])
    }

    @Test("without a token there is no connection", arguments: [nil, [], [0x0A], [0xFF]] as [[UInt8]?])
    func noToken(secret: [UInt8]?) {
        var packet = packet()
        #expect(throws: FormError.self) { try Gateway().form.prepare(&packet, secret: secret, now: Gateway().now) }
    }

    @Test("the devices of the configuration are connected with the bridge, each with its product as its type")
    func connects() {
        let gateway = Gateway()
        #expect(gateway.form.subscriptions.map(\.filter) == ["v1/gateway/attributes", "v1/gateway/attributes/response", "v1/gateway/rpc"])
        #expect(gateway.send(gateway.post(#""temp":1"#)) == nil)
        #expect(gateway.start() == [#"v1/gateway/connect {"device":"meter/m1","type":"meter"}"#])
        gateway.form.disconnected()
        #expect(gateway.send(gateway.post(#""temp":1"#)) == nil)
        #expect(gateway.start().count == 1)
    }

    @Test("a farewell disconnects what is connected")
    func farewell() {
        let gateway = Gateway()
        gateway.start()
        #expect(gateway.form.farewell(now: gateway.now).map(gateway.line) == [#"v1/gateway/disconnect {"device":"meter/m1"}"#])
    }

    @Test("values go up with their own times, without those that are null")
    func telemetry() throws {
        let gateway = Gateway()
        gateway.start()
        let sent = try #require(
            gateway.send(
                gateway.post(#""temp":{"value":21.5,"quality":9},"set":{"value":null,"quality":0,"reason":"timeout"},"pump":true"#),
                gateway.post(#""temp":22,"text":"a\"b","list":[1, 2]"#, time: 2000)))
        #expect(
            sent.lines == [
                #"v1/gateway/telemetry {"meter/m1":[{"ts":1000,"values":{"temp":21.5,"pump":true}},{"ts":2000,"values":{"temp":22,"text":"a\"b","list":[1, 2]}}]}"#
            ])
        #expect(sent.count == 2)
    }

    @Test("a time that nobody knows is said beside the values if qualities are", arguments: [true, false])
    func uncertainTime(sendsQuality: Bool) {
        let gateway = Gateway { $0.sendsQuality = sendsQuality }
        gateway.start()
        var post = gateway.post(#""temp":1"#, time: 4000)
        var other = gateway.input("alarms/line", "7")
        (post.isTimeUncertain, other.isTimeUncertain) = (true, true)
        let said = sendsQuality ? #","time.uncertain":true"# : ""
        let quality = sendsQuality ? #","temp.quality":9"# : ""
        #expect(gateway.send(post)?.lines == [#"v1/gateway/telemetry {"meter/m1":[{"ts":4000,"values":{"temp":1\#(quality)\#(said)}}]}"#])
        #expect(gateway.send(other)?.lines == [#"v1/devices/me/telemetry [{"ts":5000,"values":{"alarms/line":7\#(said)}}]"#])
    }

    @Test("with send-quality each point has its quality and reason beside it")
    func quality() {
        let gateway = Gateway { $0.sendsQuality = true }
        gateway.start()
        #expect(
            gateway.send(gateway.post(#""temp":{"value":null,"quality":0,"reason":"timeout"},"set":1"#))?.lines == [
                #"v1/gateway/telemetry {"meter/m1":[{"ts":1000,"values":{"temp.quality":0,"temp.reason":"timeout","set":1,"set.quality":9}}]}"#
            ])
    }

    @Test("a message that has no value is left out")
    func nothing() {
        let gateway = Gateway()
        gateway.start()
        let sent = gateway.send(gateway.post(#""temp":null"#))
        #expect(sent?.lines == [] && sent?.count == 1)
        #expect(gateway.send(gateway.input("/sys/meter/m1/thing/measurepoint/post_reply", "{}"))?.lines == [])
    }

    @Test("a device that the configuration does not know is connected before its first values")
    func learned() {
        let gateway = Gateway(devices: [])
        #expect(gateway.start() == [])
        #expect(
            gateway.send(gateway.post(#""a":1"#, device: "p/d"))?.lines == [
                #"v1/gateway/connect {"device":"p/d","type":"p"}"#, #"v1/gateway/telemetry {"p/d":[{"ts":1000,"values":{"a":1}}]}"#,
            ])
        #expect(gateway.send(gateway.post(#""a":2"#, device: "p/d"))?.lines.count == 1)
    }

    @Test("messages of one device are joined, unless more devices are asked for")
    func devicesPerMessage() {
        for (limit, expected) in [(1, 2), (2, 3), (3, 4)] {
            let gateway = Gateway(devices: []) { $0.devicesPerMessage = limit }
            gateway.start()
            let sent = gateway.send(
                gateway.post(#""a":1"#, device: "p/a"), gateway.post(#""a":2"#, device: "p/a"), gateway.post(#""a":3"#, device: "p/b"),
                gateway.post(#""a":4"#, device: "p/c"))
            #expect(sent?.count == expected)
            #expect(sent?.lines.count(where: { $0.hasPrefix("v1/gateway/telemetry") }) == 1)
        }
    }

    @Test("a message of many devices is parted")
    func gatewayBatch() {
        let gateway = Gateway(devices: [])
        gateway.start()
        let sent = gateway.send(
            gateway.input(
                "/sys/p/gw/thing/measurepoint/post/batch",
                #"{"params":[{"deviceKey":"a","measurepoints":{"x":1},"time":1},{"deviceKey":"b","measurepoints":{"x":2},"time":2}]}"#))
        #expect(sent?.lines.filter { $0.hasPrefix("v1/gateway/telemetry") }.count == 2)
    }

    @Test("a run stops before it is larger than a packet, and at a message for another topic")
    func runs() {
        let gateway = Gateway()
        gateway.start()
        let long = #""text":"\#(String(repeating: "x", count: 400))""#
        #expect(gateway.send(gateway.post(long), gateway.post(long), gateway.post(long), maximumBytes: 1700)?.count == 2)
        let attribute = gateway.input("/sys/meter/m1/thing/attribute/update", #"{"params":{"attributes":{"serial":"A1"}}}"#)
        #expect(gateway.send(gateway.post(#""temp":1"#), attribute)?.count == 1)
    }

    @Test("attributes, events and other topics have their places")
    func otherKinds() {
        let gateway = Gateway()
        gateway.start()
        #expect(
            gateway.send(gateway.input("/sys/meter/m1/thing/attribute/update", #"{"params":{"attributes":{"serial":"A1","n":null}}}"#))?.lines
                == [#"v1/gateway/attributes {"meter/m1":{"serial":"A1"}}"#])
        #expect(
            gateway.send(gateway.input("/sys/meter/m1/thing/event/hot/post", #"{"params":{"events":{"t":80},"time":"7000"}}"#))?.lines
                == [#"v1/gateway/telemetry {"meter/m1":[{"ts":7000,"values":{"hot":{"t":80}}}]}"#])
        #expect(
            gateway.send(gateway.input("/alarms/x", #"{"a":1}"#), gateway.input("log", "text"))?.lines == [
                #"v1/devices/me/telemetry [{"ts":5000,"values":{"alarms/x":{"a":1}}},{"ts":5000,"values":{"log":"text"}}]"#
            ])
    }

    @Test("a device that is lost is disconnected, and connected again with its next value")
    func presence() {
        let gateway = Gateway()
        gateway.start()
        _ = gateway.send(gateway.post(#""temp":{"value":null,"quality":0,"reason":"timeout"}"#))
        #expect(gateway.wait(.seconds(1)) == [#"v1/gateway/disconnect {"device":"meter/m1"}"#])
        #expect(gateway.wait(.seconds(1)) == [])
        #expect(gateway.send(gateway.post(#""temp":1"#, time: 2000))?.lines.first == #"v1/gateway/connect {"device":"meter/m1","type":"meter"}"#)
        #expect(gateway.wait(.seconds(1)) == [])
    }
}

@Suite("ThingsBoard: what comes down")
struct ThingsBoardCommandTests {
    private let setTopic = "/sys/meter/m1/thing/service/measurepoint/set"

    private func gateway(_ change: (inout ThingsBoardConfiguration) -> Void = { _ in }) -> Gateway {
        let gateway = Gateway(devices: [Gateway.meter], change)
        gateway.start()
        return gateway
    }

    private func set(_ params: String, _ number: Int = 1) -> String {
        "local \(setTopic) {\"id\":\"thingsboard-\(number)\",\"version\":\"1.0\",\"method\":\"thing.service.measurepoint.set\",\"params\":\(params)}"
    }

    private func reply(_ data: String) -> String { "v1/gateway/rpc {\"device\":\"meter/m1\",\"id\":7,\"data\":\(data)}" }

    @Test("a call sets points, and is answered when the device has")
    func sets() {
        let gateway = gateway()
        #expect(gateway.call("set", #"{"set":21.5,"pump":true}"#) == [set(#"{"set":21.5,"pump":true}"#)])
        #expect(gateway.answer("\(setTopic)_reply", #"{"id":"thingsboard-1","code":200,"data":{}}"#) == [reply(#"{"success":true}"#)])
        #expect(gateway.answer("\(setTopic)_reply", #"{"id":"thingsboard-1","code":200,"data":{}}"#) == [])
    }

    @Test("a call that is named as a point sets it, or tells its value")
    func pointMethod() {
        let gateway = gateway()
        #expect(gateway.call("set", "{}") == [reply(#"{"error":"params names no point"}"#)])
        #expect(gateway.call("pump", "false") == [set(#"{"pump":false}"#)])
        #expect(gateway.call("pump") == [reply("null")])
        _ = gateway.send(gateway.post(#""pump":true"#))
        #expect(gateway.call("pump", "{}") == [reply("true")])
    }

    @Test("a call tells the last values")
    func gets() {
        let gateway = gateway()
        _ = gateway.send(gateway.post(#""temp":21.5,"pump":true"#, time: 2000), gateway.post(#""temp":1"#, time: 1000))
        #expect(gateway.call("get", #"["temp","other"]"#) == [reply(#"{"temp":21.5,"other":null}"#)])
        #expect(gateway.call("get") == [reply(#"{"pump":true,"temp":21.5}"#)])
    }

    @Test("any other call is a service of the device, and is answered with its data")
    func service() {
        let gateway = gateway()
        #expect(
            gateway.call("reboot", #"{"delay":5}"#) == [
                #"local /sys/meter/m1/thing/service/reboot {"id":"thingsboard-1","version":"1.0","method":"thing.service.reboot","params":{"delay":5}}"#
            ])
        #expect(
            gateway.answer("/sys/meter/m1/thing/service/reboot_reply", #"{"id":"thingsboard-1","code":200,"data":{"at":9}}"#)
                == [reply(#"{"at":9}"#)])
        #expect(gateway.call("reboot")?.first?.hasSuffix("\"params\":{}}") == true)
    }

    @Test("what came to nothing is answered with the reason", arguments: [
        ("set", #"{"temp":1}"#, #"{"error":"temp cannot be written"}"#), ("set", "7", #"{"error":"params names no point"}"#),
        ("set", #"{"set":[1]}"#, #"{"error":"the value of set is not a boolean, a number or a text"}"#),
        ("a/b", "{}", #"{"error":"there is no method a/b"}"#), ("x_reply", "{}", #"{"error":"there is no method x_reply"}"#),
    ])
    func refused(method: String, params: String, data: String) { #expect(gateway().call(method, params) == [reply(data)]) }

    @Test("a device's refusal is the answer, and so is its silence")
    func failures() {
        let gateway = gateway()
        _ = gateway.call("set", #"{"set":1}"#)
        #expect(
            gateway.answer("\(setTopic)_reply", #"{"id":"thingsboard-1","code":1102,"message":"set: timeout"}"#)
                == [reply(#"{"error":"set: timeout","code":1102}"#)])
        _ = gateway.call("set", #"{"set":1}"#)
        #expect(gateway.wait(.seconds(9)) == [])
        #expect(gateway.wait(.seconds(1)) == [reply(#"{"error":"meter/m1 did not answer in time"}"#)])
    }

    @Test("a call for a device that there is not is answered")
    func unknownDevice() {
        #expect(
            gateway().call("set", "{}", device: "x")
                == [#"v1/gateway/rpc {"device":"x","id":7,"data":{"error":"there is no device x"}}"#])
    }

    @Test("what is no call is passed over", arguments: ["", "[]", #"{"device":"meter/m1","id":7,"data":{"success":true}}"#, #"{"device":1,"data":{}}"#])
    func noCall(payload: String) { #expect(gateway().receive("v1/gateway/rpc", payload) == []) }

    @Test("a shared attribute that is called as a writable point is written")
    func sharedAttributes() {
        let gateway = gateway()
        #expect(
            gateway.receive("v1/gateway/attributes", #"{"device":"meter/m1","data":{"set":5,"temp":1,"note":"x","deleted":["pump"]}}"#)
                == [set(#"{"set":5}"#)])
        #expect(gateway.answer("\(setTopic)_reply", #"{"id":"thingsboard-1","code":200}"#) == [])
    }

    @Test("a shared attribute that cannot be written is said in the log")
    func sharedAttributeFails() {
        let gateway = gateway()
        _ = gateway.receive("v1/gateway/attributes", #"{"device":"meter/m1","data":{"set":5}}"#)
        #expect(
            gateway.answer("\(setTopic)_reply", #"{"id":"thingsboard-1","code":1204,"message":"set: out of range"}"#)
                == ["warn shared attributes of meter/m1 (set) could not be written: set: out of range"])
    }

    @Test("with sync-attributes they are asked for at each connection, and written where they differ")
    func sync() {
        let gateway = Gateway { $0.syncsAttributes = true }
        #expect(
            gateway.start().last == #"v1/gateway/attributes/request {"id":1,"device":"meter/m1","client":false,"keys":["pump","set"]}"#)
        _ = gateway.send(gateway.post(#""pump":true,"set":5"#))
        let answer = #"{"id":1,"device":"meter/m1","values":{"pump":true,"set":6.0}}"#
        #expect(gateway.receive("v1/gateway/attributes/response", answer) == [set(#"{"set":6.0}"#)])
        #expect(gateway.receive("v1/gateway/attributes/response", answer) == [])
        gateway.form.disconnected()
        #expect(gateway.start().count == 2)
        #expect(gateway.receive("v1/gateway/attributes/response", #"{"id":2,"device":"meter/m1","values":{"set":5.0}}"#) == [])
    }

    @Test("other topics are none of the form's")
    func other() { #expect(gateway().receive("v1/devices/me/attributes", "{}") == nil) }

    @Test("damaged calls and answers do no harm")
    func damaged() {
        let gateway = gateway()
        let call = Array(#"{"device":"meter/m1","data":{"id":7,"method":"set","params":{"set":21.5}}}"#.utf8)
        for bytes in call.bitFlips {
            for topic in ["v1/gateway/rpc", "v1/gateway/attributes", "v1/gateway/attributes/response"] {
                _ = Array(topic.utf8).withUnsafeBytes { topic in
                    bytes.withUnsafeBytes { gateway.form.received(topic: topic, payload: $0, now: gateway.now) }
                }
            }
        }
        #expect(gateway.form.tick(now: gateway.now) == [])
    }
}
