import Core
import MQTTCodec
import Testing

@testable import martlet

@Suite("Message format")
struct MessageFormatTests {
    /// Writes one message as the format says.
    private func text(
        _ format: String, topic: String = "site/1", payload: String = "21.5", qos: QoS = .atLeastOnce,
        change: (inout ReceivedMessage) -> Void = { _ in }
    ) throws -> String {
        let (topic, payload) = (Array(topic.utf8), Array(payload.utf8))
        return try topic.withUnsafeBytes { topic in
            try payload.withUnsafeBytes { payload in
                var message = ReceivedMessage(topic: topic, payload: payload, qos: qos, retain: true, dup: false, packetIdentifier: 7)
                message.receivedAt = 1_700_000_000_012_345_678
                change(&message)
                var output: [UInt8] = []
                try MessageFormat(format).write(message, to: &output)
                return String(decoding: output, as: UTF8.self)
            }
        }
    }

    @Test("parts and text stand as the format has them")
    func parts() throws {
        #expect(try text("%t %q %r %d %m %l: %p%%\\n\\t\\\\") == "site/1 1 1 0 7 4: 21.5%\n\t\\")
        #expect(try text("%x %X", payload: "\u{1F}J") == "1f4a 1F4A")
        #expect(try text("%U") == "1700000000.012345678")
    }

    @Test("the properties of MQTT 5.0 are there, and nothing if they are not")
    func properties() throws {
        #expect(try text("[%C%D%E%F%R%S%P%A]") == "[]")
        let found = try text("%C|%D|%E|%F|%R|%S|%P|%A") { message in
            message.properties.contentType = "text/plain"
            message.properties.correlationData = Array("id".utf8)
            message.properties.payloadFormatIsUTF8 = true
            message.properties.responseTopic = "r"
            message.properties.userProperties = [.init(name: "a", value: "b"), .init(name: "c", value: "d")]
            message.messageExpiryInterval = 9
            message.subscriptionIdentifiers = [1, 2]
            message.topicAlias = 3
        }
        #expect(found == "text/plain|id|9|1|r|1,2|a:b c:d|3")
    }

    @Test("JSON has the payload as a string, or as the JSON that it is")
    func json() throws {
        let text = try text("%j", payload: "{\"a\":[1]}")
        #expect(text.contains(#""topic":"site/1","qos":1,"retain":1,"payloadlen":9,"mid":7,"payload":"{\"a\":[1]}"}"#))
        let json = try self.text("%J", payload: "{\"a\":[1]}") { $0.properties.contentType = "c" }
        #expect(json.contains(#""properties":{"content-type":"c"},"payload":{"a":[1]}}"#))
        #expect(try self.text("%J", payload: "no json").contains(#""payload":"no json""#))
        #expect(try self.text("%J", payload: "").contains(#""payload":null"#))
        #expect(json.hasPrefix(#"{"tst":"20"#))
    }

    @Test("what is not known is refused", arguments: ["%", "%y", "\\", "\\y"])
    func refused(format: String) {
        #expect(throws: ClientError.self) { try MessageFormat(format) }
    }
}

@Suite("Message printer")
struct MessagePrinterTests {
    private func add(_ topic: String, _ payload: String, retain: Bool = false, to printer: inout MessagePrinter) -> Bool {
        let (topic, payload) = (Array(topic.utf8), Array(payload.utf8))
        return topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                printer.add(
                    ReceivedMessage(
                        topic: topic, payload: payload, qos: .atMostOnce, retain: retain, dup: false, packetIdentifier: 0))
            }
        }
    }

    private func output(_ printer: MessagePrinter) -> String { String(decoding: printer.output, as: UTF8.self) }

    @Test("a payload has a line of its own, and an empty one none")
    func plain() {
        var printer = MessagePrinter()
        for payload in ["a", "", "b"] { _ = add("t", payload, to: &printer) }
        #expect(output(printer) == "a\nb\n")
    }

    @Test("with the topic in front an empty payload is said")
    func verbose() {
        var printer = MessagePrinter(isVerbose: true)
        for payload in ["a", ""] { _ = add("t/1", payload, to: &printer) }
        #expect(output(printer) == "t/1 a\nt/1 (null)\n")
    }

    @Test("without newlines the payloads follow each other")
    func noEndOfLine() {
        var printer = MessagePrinter(endsLine: false)
        for payload in ["a", "b"] { _ = add("t", payload, to: &printer) }
        #expect(output(printer) == "ab")
    }

    @Test("filtered topics and retained messages are neither written nor counted")
    func filtered() throws {
        var printer = MessagePrinter(skipsRetained: true, filteredOut: [try #require(TopicFilter("a/#"))], remaining: 1)
        let added = [
            add("a/b", "1", to: &printer), add("c", "2", retain: true, to: &printer), add("c", "3", to: &printer),
            add("c", "4", to: &printer),
        ]
        #expect(added == [false, false, true, false])
        #expect(output(printer) == "3\n" && printer.isDone)
    }
}

@Suite("Line buffer")
struct LineBufferTests {
    private func lines(_ chunks: [String], limit: Int = 100) -> [String] {
        var buffer = LineBuffer()
        var found: [String] = []
        func take() { while let line = buffer.next() { found.append(String(decoding: line, as: UTF8.self)) } }
        for chunk in chunks {
            guard buffer.append(Array(chunk.utf8), limit: limit) else { break }
            take()
        }
        buffer.finish()
        take()
        return found
    }

    @Test("lines are found wherever the pieces are cut", arguments: [1, 2, 3, 7, 50])
    func pieces(size: Int) {
        let text = Array("one\n\nthree\nlast")
        let chunks = stride(from: 0, to: text.count, by: size).map { String(text[$0..<min(text.count, $0 + size)]) }
        #expect(lines(chunks) == ["one", "", "three", "last"])
    }

    @Test("a line that is too long ends it")
    func tooLong() {
        #expect(lines(["a\n", "0123456789", "x\n"], limit: 10) == ["a"])
    }
}
