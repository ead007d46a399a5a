import Configuration
import Testing

@Suite("Forms of a bridge")
struct FormTests {
    private func bridge(_ keys: String = "", _ tables: String...) -> String {
        """
        [[bridge]]
        name = "b"
        host = "h"
        client-identifier = "box"
        \(keys)
        [[bridge.forward]]
        filter = "/sys/#"
        \(tables.joined(separator: "\n"))
        """
    }

    private static let enos = "[bridge.enos]\nproduct-key = \"p\"\ndevice-key = \"d\"\nsecret-file = \"s\""
    private static let azure = "[bridge.azure]\nkey-file = \"k\""
    private static let aws = "[bridge.aws]\nthing = \"t\""
    private static let sparkplug = "[bridge.sparkplug]\ngroup = \"g\"\nedge-node = \"n\""
    private static let thingsBoard = "[bridge.thingsboard]\ntoken-file = \"t\""

    @Test("each is right by itself", arguments: [enos, azure, aws, sparkplug, thingsBoard])
    func right(_ table: String) {
        #expect(messages(bridge("", table)) == [])
    }

    @Test("a bridge has one")
    func two() {
        #expect(messages(bridge("", Self.enos, Self.aws)) == ["m:12:1: a bridge is one thing only: take out [bridge.enos] or [bridge.aws]"])
    }

    @Test("a form logs in by itself", arguments: [enos, azure, aws])
    func user(_ table: String) {
        #expect(messages(bridge("user-name = \"u\"", table)).first?.contains("logs in by itself: leave out user-name") == true)
    }

    @Test("Sparkplug, and ThingsBoard without a token, log in as the bridge does", arguments: [sparkplug, "[bridge.thingsboard]"])
    func ownUser(_ table: String) { #expect(messages(bridge("user-name = \"u\"\npassword-file = \"p\"", table)) == []) }

    @Test("what an upstream does not speak or take is refused", arguments: [
        ("protocol = \"5.0\"", enos, "MQTT 3.1.1 only"), ("protocol = \"5.0\"", azure, "MQTT 3.1.1 only"),
        ("keep-alive = \"1178s\"", azure, "at most \"1177s\""), ("keep-alive = \"20s\"", aws, "\"30s\" to \"1200s\""),
        ("", aws + "\ntopic = \"a/${b}\"", "there is no ${b}, only ${thing}"),
        ("session-expiry = \"1d\"", sparkplug, "keeps no session: leave out session-expiry"),
        ("", sparkplug + "\ndevice-name = \"x\"", "does not have ${device} in it"),
        ("", sparkplug + "\ndevice-name = \"${device}/${product}\"", "must not contain control characters"),
        ("", sparkplug + "\ndevice-name = \"${device}${key}\"", "has a placeholder other than"),
        ("", "[bridge.thingsboard]", "needs the key \"token-file\""),
        ("user-name = \"u\"", thingsBoard, "leave out token-file or user-name"),
        ("", "[bridge.azure]", "needs the key \"key-file\" when authentication is \"sas\""),
        ("", "[bridge.azure]\nauthentication = \"x509\"\nkey-file = \"k\"", "key-file has a meaning only when"),
    ])
    func refused(_ keys: String, _ table: String, _ words: String) {
        let found = messages(bridge(keys, table))
        #expect(found.count == 1 && found[0].contains(words), "\(found)")
    }

    @Test("a client identifier that would be taken apart is refused")
    func clientIdentifier() {
        let text = bridge("", Self.enos).replacing("\"box\"", with: "\"bo|x\"")
        #expect(messages(text).first?.contains("at most 64 bytes with [bridge.enos]") == true)
    }
}
