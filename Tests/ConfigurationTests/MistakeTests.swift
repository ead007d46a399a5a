import Configuration
import FieldBus
import Testing

/// Each mistake in a file is one line that says where and what.
@Suite("Mistakes in a file")
struct MistakeTests {
    @Test("a key or table that does not exist is reported with the nearest that does", arguments: [
        ("\n\n[[lisener]]\nport = 1\n", "m:3:1: unknown key \"lisener\"; did you mean \"listener\"?"),
        ("[broker]\nmax_inflight = 1\n", "m:2:1: unknown key \"max_inflight\" in [broker]; did you mean \"max-inflight\"?"),
        ("[[listener]]\n  prot = 1\n", "m:2:3: unknown key \"prot\" in [[listener]]; did you mean \"port\"?"),
        (
            "[cache]\nzzzzzzzzzz = 1\n",
            "m:2:1: unknown key \"zzzzzzzzzz\" in [cache]; known are size, max-age, when-full, compression, commit-interval"
        ),
        (
            "cache.\"a\\nb\" = 1",
            "m:1:7: unknown key \"a\u{FFFD}b\" in [cache]; known are size, max-age, when-full, compression, commit-interval"
        ),
    ])
    func unknownKeys(text: String, expected: String) {
        #expect(messages(text) == [expected])
    }

    @Test("a key of a product or device without a bus is compared with those of all protocols", arguments: [
        ("[[product]]\nkey = \"p\"\n[[product.point]]\nidentifier = \"x\"\ntype = \"INT\"\nadress = 1\n", "m:6:1: unknown key \"adress\" in [[point]]; did you mean \"address\"?"),
        (
            "[[product]]\nkey = \"p\"\ngroup = [{name=\"g\"}]\n[[product.point]]\nidentifier = \"x\"\ntype = \"INT\"\narea = \"input-register\"\naddress = 1\n[[product.point]]\nidentifier = \"y\"\ntype = \"INT\"\naddres = 1\n",
            "m:12:1: unknown key \"addres\" in [[point]] of a modbus-tcp device; did you mean \"address\"?"
        ),
        ("[[product]]\nkey = \"p\"\n[[device]]\nproduct = \"p\"\nkey = \"d\"\nunit-identifer = 1\n", "m:6:1: unknown key \"unit-identifer\" in [[device]]; did you mean \"unit-identifier\"?"),
    ])
    func keysOfNoProtocol(text: String, expected: String) {
        #expect(messages(text).filter { !$0.contains("is on a bus and needs") && !$0.contains("needs the key") } == [expected])
    }

    @Test("a value of another type is refused", arguments: [
        ("[[listener]]\nport = \"1883\"\n", "m:2:8: port must be an integer, not a string"),
        ("[[listener]]\nport = 1.0\n", "m:2:8: port must be an integer, not a number with a fraction"),
        ("[[listener]]\nallow-anonymous = 1\n", "m:2:19: allow-anonymous must be true or false, not an integer"),
        ("[appliance]\nname = [\"a\"]\n", "m:2:8: name must be a string, not an array"),
        ("appliance = 3\n", "m:1:1: appliance must be a table, [appliance], not an integer"),
        ("[[broker]]\n", "m:1:1: broker must be a table, [broker], not an array"),
        ("[listener]\n", "m:1:1: listener can be there several times: write [[listener]], not a table"),
        ("listener = [1]\n", "m:1:13: listener must be tables, [[listener]], not an integer"),
        (
            "[cache]\nmax-age = 30\n",
            "m:2:11: max-age must be a duration such as \"500ms\", \"1s\", \"5m\", \"2h\" or \"7d\", not an integer"
        ),
        ("[broker]\nmax-queued-bytes = 1024\n", "m:2:20: max-queued-bytes must be a size such as \"64KiB\", \"1MiB\" or \"1GB\", not an integer"),
        ("[cache]\nsize = 1024\n", "m:2:8: size must be \"auto\", a size such as \"1GiB\" or a time such as \"30d\", not an integer"),
        (
            "[appliance]\nlog-level = 2020-01-01\n",
            "m:2:13: log-level must be one of \"trace\", \"debug\", \"info\", \"notice\", \"warning\", \"error\", "
                + "\"critical\", not a date or time"
        ),
    ])
    func wrongTypes(text: String, expected: String) {
        #expect(messages(text) == [expected])
    }

    @Test("a value out of its range is refused with the range", arguments: [
        ("[[listener]]\nport = 70000\n", "m:2:8: port 70000 is out of range (1…65535)"),
        ("[[listener]]\nport = 0\n", "m:2:8: port 0 is out of range (1…65535)"),
        ("[cache]\nmax-age = \"4000d\"\n", "m:2:11: max-age \"4000d\" is out of range (1m…3650d)"),
        ("[cache]\nsize = \"64KiB\"\n", "m:2:8: size \"64KiB\" is out of range (1MiB…16TiB)"),
        ("[cache]\nsize = \"30s\"\n", "m:2:8: size \"30s\" is out of range (1m…3650d)"),
        (
            "[cache]\nmax-age = \"1h30m\"\n",
            "m:2:11: max-age \"1h30m\" is not a duration such as \"500ms\", \"1s\", \"5m\", \"2h\" or \"7d\""
        ),
        (
            "[cache]\nmax-age = \"99999999999999999d\"\n",
            "m:2:11: max-age \"99999999999999999d\" is not a duration such as \"500ms\", \"1s\", \"5m\", \"2h\" or \"7d\""
        ),
        ("[broker]\nmax-packet-size = \"1mb\"\n", "m:2:19: max-packet-size \"1mb\" is not a size such as \"64KiB\", \"1MiB\" or \"1GB\""),
        ("[cache]\nsize = \"1mb\"\n", "m:2:8: size \"1mb\" is not \"auto\", a size such as \"1GiB\" or a time such as \"30d\""),
        ("[cache]\nwhen-full = \"drop-oldst\"\n", "m:2:13: when-full \"drop-oldst\" is not supported; did you mean \"drop-oldest\"?"),
        ("[cache]\nwhen-full = \"panic!!\"\n", "m:2:13: when-full \"panic!!\" is not supported (\"drop-oldest\", \"drop-newest\", \"refuse\", \"thin\")"),
        ("[appliance]\nname = \"\"\n", "m:2:8: name must not be empty"),
        ("[appliance]\nname = \"a b\"\n", "m:2:8: name \"a b\" may only have letters, digits, \"-\", \"_\" and \".\""),
        ("[[listener]]\naddress = \"localhost\"\n", "m:2:11: address \"localhost\" is not an IPv4 or IPv6 address"),
        (
            "[broker]\nmax-packet-size = \"2MiB\"\nmax-queued-bytes = \"1MiB\"\n",
            "m:3:20: max-queued-bytes must hold at least one packet of max-packet-size"
        ),
        (
            "[broker]\nredirect = \"server-moved\"\n",
            "m:2:12: redirect needs a server-reference to send clients to"
        ),
        ("[broker]\nmax-session-expiry = \"1500ms\"\n", "m:2:22: max-session-expiry must be whole seconds"),
    ])
    func outOfRange(text: String, expected: String) {
        #expect(messages(text) == [expected])
    }

    @Test("a password in the file is refused with the way to do it")
    func password() {
        let text = """
            [[bridge]]
            name = "c"
            host = "h"
            client-identifier = "i"
            user-name = "u"
            password = "secret"
            forward = [{ filter = "#" }]
            """
        #expect(
            messages(text) == [
                "m:6:1: password must not be in this file: put it into a file of its own and name that with password-file"
            ]
        )
    }

    @Test("the key that size has come in the place of is refused with what to write now")
    func oldSize() {
        #expect(
            messages("[cache]\nmax-size = \"1GiB\"\n") == [
                "m:2:1: max-size is called size now: write size = \"1GiB\", a time such as \"30d\", or \"auto\""
            ]
        )
    }

    @Test("keys of back-fill contradict strict order and each other; forwards of one priority must agree", arguments: [
        ("order = \"strict\"\nbackfill-rate = 5\n", "", "m:6:17: backfill-rate has a meaning only when order is \"live-first\""),
        (
            "backfill-prefix = \"a\"\nbackfill-topic = \"b\"\n", "",
            "m:6:18: backfill-topic replaces the whole topic: leave out backfill-prefix"
        ),
        (
            "", ", max-age = \"1d\" }, { filter = \"b\", max-age = \"2d\"",
            "m:5:72: max-age is already another for priority 5 at line 5: forwards of one priority share their place in the "
                + "cache; give this one a priority of its own"
        ),
        ("", ", priority = 10", "m:5:39: priority 10 is out of range (0…9)"),
    ])
    func backfill(keys: String, route: String, expected: String) {
        let text = "[[bridge]]\nname = \"c\"\nhost = \"h\"\nclient-identifier = \"i\"\n\(keys)forward = [{ filter = \"a\"\(route) }]\n"
        #expect(messages(text) == [expected])
    }

    @Test("every mistake is reported, in the order of the file")
    func everything() {
        let text = """
            [appliance]
            nane = "x"
            log-level = 3
            [[bus]]
            name = "b"
            protocol = "modbus-rtu"
            baud-rate = 11520
            [[device]]
            product = "meter"
            key = "a/b"
            bus = "c"
            [lisener]
            """
        #expect(
            messages(text) == [
                "m:2:1: unknown key \"nane\" in [appliance]; did you mean \"name\"?",
                "m:3:13: log-level must be one of \"trace\", \"debug\", \"info\", \"notice\", \"warning\", \"error\", "
                    + "\"critical\", not an integer",
                "m:4:1: [[bus]] with protocol \"modbus-rtu\" needs the key \"serial-port\"",
                "m:7:13: baud-rate 11520 is not supported (\(Self.baudRates))",
                "m:9:11: there is no product \"meter\"; none is defined",
                "m:10:7: key \"a/b\" must be one topic level: without \"/\", \"+\", \"#\" and control characters",
                "m:11:7: there is no bus \"c\" (b)",
                "m:12:1: unknown key \"lisener\"; did you mean \"listener\"?",
            ]
        )
    }

    private static let baudRates = SerialLine.supportedBaudRates.map(String.init).joined(separator: ", ")

    @Test("text that is not TOML is reported at its first such place")
    func syntax() {
        #expect(
            messages("[broker]\nmax-inflight = = 3\n") == [
                "m:2:16: syntax error in value: could not determine value type"
            ]
        )
    }
}
