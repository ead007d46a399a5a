import Core
import Glibc
import MQTTCodec
import TestSupport
import Testing

@testable import Bridge

@Suite("EnOS: activation")
struct EnOSActivationTests {
    private static let topic = "/ext/session/gw/box/thing/activate/info"
    private static let gift =
        #"{"id":"9","version":"1.0","method":"thing.activate.info","params":{"assetId":"a","productKey":"gw","deviceKey":"box","deviceSecret":"own-secret"}}"#

    private func conversation() -> FormConversation<EnOSForm> {
        EnOSLoginTests.conversation { $0.activates = true }
    }

    @Test("the first connection is signed with the product's secret and asks for nothing but the gateway's")
    func first() throws {
        let talk = conversation()
        let packet = try talk.connect(secret: "product-secret\nmeter/m1 s\n", wall: 1_524_448_722_000)
        #expect(packet.clientIdentifier == "box|securemode=3,signmethod=sha256,timestamp=1524448722000|")
        let expected = EnOSSignature.sign(
            clientIdentifier: "box", device: DeviceIdentifier(productKey: "gw", deviceKey: "box"), timestamp: 1_524_448_722_000,
            secret: Array("product-secret".utf8))
        #expect(packet.password == Array(expected.utf8))
        #expect(talk.form.subscriptions.map(\.filter) == [Self.topic])
        talk.accept()
        talk.wait(.seconds(60))
        #expect(talk.told().isEmpty)
        #expect(talk.send("/sys/gw/box/thing/measurepoint/post", EnOSLoginTests.post) == nil)
    }

    @Test("the secret is kept, then the platform answered, then the connection made anew with it")
    func activation() throws {
        let talk = conversation()
        try talk.start(secret: "product-secret")
        talk.upstream(Self.topic, Self.gift)
        #expect(talk.told() == ["keep own-secret"])
        talk.carryOut(talk.form.keptOnDisk(nil, now: talk.now))
        #expect(talk.told() == [#"up \#(Self.topic)_reply {"id":"9","code":200,"data":{},"message":""}"#])
        talk.wait(.seconds(1))
        #expect(talk.told() == ["reconnect: the gateway is activated"])
        talk.form.disconnected()
        talk.form.kept = Array("own-secret".utf8)
        let packet = try talk.connect(secret: "product-secret")
        #expect(packet.clientIdentifier.hasPrefix("box|securemode=2,"))
        #expect(talk.form.subscriptions.count > 10)
    }

    @Test("what cannot be kept is not answered, and tried again")
    func failure() throws {
        let talk = conversation()
        try talk.start(secret: "product-secret")
        talk.upstream(Self.topic, Self.gift)
        _ = talk.told()
        talk.carryOut(talk.form.keptOnDisk("disk full", now: talk.now))
        #expect(talk.told() == ["warn: the secret that EnOS gave cannot be kept, and is tried again: disk full"])
        talk.wait(.seconds(9))
        #expect(talk.told().isEmpty)
        talk.wait(.seconds(1))
        #expect(talk.told() == ["keep own-secret"])
    }

    @Test("a secret for somebody else, or none, is not kept", arguments: [
        "", "{}", gift.replacing("\"gw\"", with: "\"other\""), gift.replacing("own-secret", with: ""),
        gift.replacing("own-secret", with: "a b"),
    ])
    func wrong(_ payload: String) throws {
        let talk = conversation()
        try talk.start(secret: "product-secret")
        talk.upstream(Self.topic, payload)
        #expect(talk.told().allSatisfy { $0.hasPrefix("warn:") })
    }

    @Test("a gateway with a secret of its own takes no other")
    func uninvited() throws {
        let talk = EnOSLoginTests.conversation()
        try talk.start(secret: "own")
        talk.upstream(Self.topic, Self.gift)
        #expect(talk.told().isEmpty)
    }

    @Test("the file is its owner's alone, and takes the place of an older one")
    func file() throws {
        let folder = TestFolder()
        let path = KeptFile.path(directory: folder.path, bridge: "cloud", .secret)
        try KeptFile.write(Array("first, which is longer".utf8), path)
        try KeptFile.write(Array("second".utf8), path)
        #expect(try KeptFile.read(path) == Array("second".utf8))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(access("\(path).new", F_OK) != 0)
    }
}
