import Configuration
import FieldBus
import Testing

@Suite("Access in a configuration")
struct AccessTests {
    @Test("what no rule can say is refused", arguments: [
        ("actions = \"publish\"", "m:1:1: [[access-rule]] needs the key \"access\""),
        ("access = \"maybe\"", "m:2:10: access \"maybe\" is not supported (\"allow\", \"deny\")"),
        (
            "access = \"allow\"\nactions = [\"publsh\"]",
            "m:3:11: actions \"publsh\" is not supported; did you mean \"publish\"?"
        ),
        ("access = \"allow\"\nactions = []", "m:3:11: actions must not be empty"),
        ("access = \"allow\"\nactions = [\"publish\", \"publish\"]", "m:3:11: actions has \"publish\" twice"),
        (
            "access = \"allow\"\nactions = 1",
            "m:3:11: actions must be one of \"publish\", \"subscribe\", \"receive\", \"all\", not an integer"
        ),
        (
            "access = \"allow\"\ntopic = \"a/b%c+/#\"",
            "m:3:9: topic \"a/bx+/#\" is not a topic filter: \"+\" fills a whole level, \"#\" the whole last level"
        ),
        ("access = \"allow\"\ntopic = \"\"", "m:3:9: topic must not be empty"),
        ("access = \"allow\"\nuser = \"\"", "m:3:8: user must not be empty"),
        (
            "access = \"allow\"\naddress = \"10.0.0.0/33\"",
            "m:3:11: address \"10.0.0.0/33\" is not a range of addresses such as \"10.1.0.0/16\" or \"2001:db8::/32\""
        ),
        (
            "access = \"allow\"\naddress = \"10.0.0.0/-1\"",
            "m:3:11: address \"10.0.0.0/-1\" is not a range of addresses such as \"10.1.0.0/16\" or \"2001:db8::/32\""
        ),
        ("access = \"allow\"\nlistener = \"fild\"", "m:3:12: there is no listener \"fild\"; did you mean \"field\"?"),
    ])
    func rules(lines: String, expected: String) {
        #expect(messages("[[access-rule]]\n\(lines)\n[[listener]]\nname = \"field\"\n") == [expected])
    }

    @Test("one address is a range of one", arguments: [("192.0.2.7", 32), ("::1", 128), ("10.0.0.0/8", 8), ("::/0", 0)])
    func addresses(text: String, length: Int) throws {
        let configuration = try MartletConfiguration.decode(
            text: "[[access-rule]]\naccess = \"deny\"\naddress = \"\(text)\"\n", file: "m", drivers: Drivers.catalogue)
        #expect(configuration.accessRules[0].address?.length == length)
    }

    @Test("limits that depend on others are refused without them", arguments: [
        ("ban-after = 0\nban-time = \"1m\"", "m:3:12: ban-time has a meaning only when ban-after is not 0"),
        ("publish-rate = 0", "m:2:16: publish-rate 0 is out of range (1…10000000)"),
        ("ban-by = [\"adress\"]", "m:2:10: ban-by \"adress\" is not supported; did you mean \"address\"?"),
    ])
    func limits(lines: String, expected: String) {
        #expect(messages("[protection]\n\(lines)\n") == [expected])
    }
}
