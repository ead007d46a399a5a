import ArgumentParser
import MQTTCodec
import Testing

@testable import martlet

@Suite("Property arguments")
struct PropertyArgumentsTests {
    private static let all = Set(PropertyArguments.Command.allCases)

    private func parsed(_ text: String) throws -> PropertyArguments {
        try PropertyArguments(text.split(separator: " ").map(String.init), allowed: Self.all)
    }

    @Test("the words of several options are told apart")
    func several() throws {
        let properties = try parsed(
            """
            connect session-expiry-interval 60 connect user-property a b publish content-type text/plain publish topic-alias 3 \
            will will-delay-interval 5 will content-type c disconnect session-expiry-interval 0 subscribe subscription-identifier 9 \
            publish user-property publish connect
            """)
        #expect(properties.connect.sessionExpiryInterval == 60)
        #expect(properties.connect.userProperties == [Properties.UserProperty(name: "a", value: "b")])
        #expect(properties.message.contentType == "text/plain" && properties.topicAlias == 3)
        #expect(properties.message.userProperties == [Properties.UserProperty(name: "publish", value: "connect")])
        #expect(properties.willDelayInterval == 5 && properties.will.contentType == "c")
        #expect(properties.disconnect.sessionExpiryInterval == 0 && properties.subscriptionIdentifier == 9)
    }

    @Test(
        "what MQTT does not have, or not there, is refused",
        arguments: [
            "publish", "publish content-type", "publish user-property a", "ping content-type x", "publish session-expiry-interval 5",
            "connect receive-maximum 0", "connect receive-maximum 65536", "publish payload-format-indicator 2",
            "publish message-expiry-interval -1", "subscribe subscription-identifier 0", "will topic-alias 1", "publish topic-alias 0",
        ])
    func refused(text: String) {
        #expect(throws: ValidationError.self) { try parsed(text) }
    }

    @Test("a command that the program does not have is refused")
    func notAllowed() {
        #expect(throws: ValidationError.self) {
            try PropertyArguments(["publish", "content-type", "x"], allowed: [.connect, .subscribe])
        }
    }

    @Test("a message's properties are read as they were written")
    func messageProperties() throws {
        var properties = MessageProperties()
        properties.payloadFormatIsUTF8 = true
        properties.contentType = "text/plain"
        properties.responseTopic = "answers"
        properties.correlationData = [0, 255]
        properties.userProperties = [Properties.UserProperty(name: "a", value: "b"), Properties.UserProperty(name: "a", value: "")]
        let run = try properties.encoded()
        // A PUBLISH to the topic `t` with these properties and no payload.
        let body: [UInt8] = [0, 1, UInt8(ascii: "t"), UInt8(run.count)] + run
        try body.withUnsafeBytes { body in
            let view = try PublishView.read(body: body, flags: 0, version: .v5)
            #expect(MessageProperties(of: view, body) == properties)
        }
        #expect(try MessageProperties().encoded().isEmpty)
    }
}
