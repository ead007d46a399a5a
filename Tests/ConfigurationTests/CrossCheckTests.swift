import Configuration
import FieldBus
import Testing

/// What keys and tables say about each other.
@Suite("Checks across keys and tables")
struct CrossCheckTests {
    /// A product with one group and one point, and a device on a bus; `point`, `bus` and `device` are added lines.
    private func file(point: String, bus: String = "host = \"h\"", protocol: String = "modbus-tcp", device: String = "") -> String {
        """
        [[bus]]
        name = "b"
        protocol = "\(`protocol`)"
        \(bus)
        [[product]]
        key = "p"
        [[product.group]]
        name = "g"
        [[device]]
        product = "p"
        key = "d"
        bus = "b"
        \(device)
        [[product.point]]
        identifier = "x"
        \(point)
        """
    }

    private let register = "type = \"INT\"\narea = \"input-register\"\naddress = 0\n"

    @Test("a point's keys fit each other", arguments: [
        ("type = \"STRING\"\narea = \"input-register\"\naddress = 0", "m:14:1: [[point]] needs the key \"length\" when type is \"STRING\""),
        ("type = \"INT\"\narea = \"input-register\"\naddress = 0\nlength = 4", "m:19:10: length has a meaning only when type is \"STRING\""),
        ("type = \"BOOL\"\narea = \"holding-register\"\naddress = 0", "m:14:1: [[point]] needs the key \"bit\" when type is \"BOOL\" and area is a register"),
        ("type = \"BOOL\"\narea = \"coil\"\naddress = 0\nbit = 1", "m:19:7: bit has a meaning only when area is a register"),
        ("type = \"INT\"\narea = \"holding-register\"\naddress = 0\nbit = 1", "m:19:7: bit has a meaning only when type is \"BOOL\" and area is a register"),
        ("type = \"BOOL\"\narea = \"holding-register\"\naddress = 0\nbit = 16", "m:19:7: bit 16 is out of range (0…15)"),
        ("type = \"INT\"\narea = \"coil\"\naddress = 0", "m:16:8: type must be \"BOOL\" in area \"coil\", which holds single bits"),
        ("type = \"BOOL\"\narea = \"coil\"\naddress = 0\nscale = 2", "m:19:9: scale has a meaning only when type is a number"),
        ("type = \"STRING\"\narea = \"input-register\"\naddress = 0\nlength = 2\noffset = 2", "m:20:10: offset has a meaning only when type is a number"),
        ("type = \"INT\"\narea = \"input-register\"\naddress = 0\nscale = 0", "m:19:9: scale must not be 0"),
        ("type = \"INT\"\narea = \"input-register\"\naddress = 0\nscale = inf", "m:19:9: scale must be a finite number"),
        ("type = \"INT\"\narea = \"input-register\"\naddress = 0\nwritable = true", "m:19:12: a point of area \"input-register\" cannot be written"),
        ("type = \"REAL\"\narea = \"input-register\"\naddress = 65535", "m:18:11: address 65535 is too high: a REAL of 2 registers ends after 65535"),
        ("type = \"INT\"\narea = \"input-register\"", "m:14:1: [[point]] of a modbus-tcp device needs the key \"address\""),
        ("type = \"INT\"\narea = \"input-register\"\naddress = 65536", "m:18:11: address 65536 is out of range (0…65535)"),
        ("type = \"BOOL\"\narea = \"coil\"\naddress = 0\nword-order = \"abcd\"", "m:19:14: word-order has a meaning only when type is not \"BOOL\""),
        ("type = \"INT\"\narea = \"input-register\"\naddress = 0\ngroup = \"f\"", "m:19:9: there is no group \"f\" (g)"),
        ("type = \"FLOAT\"\narea = \"coil\"\naddress = 0\nlength = 2", "m:16:8: type \"FLOAT\" is not supported (\"BOOL\", \"INT\", \"UINT\", \"DINT\", \"UDINT\", \"LINT\", \"ULINT\", \"REAL\", \"LREAL\", \"STRING\")"),
    ])
    func points(lines: String, expected: String) {
        let found = messages(file(point: lines)).filter { !$0.contains("has no point with a place on a bus") }
        #expect(found == [expected])
    }

    @Test("a point has no bits, limits and texts of numbers that its type never gives", arguments: [
        ("INT", "bits = \"8..16\"", "m:19:8: bits has bit 16, and type INT has the bits 0…15"),
        ("INT", "bits = \"0..15\"", nil), ("DINT", "bits = \"31\"", nil), ("ULINT", "bits = \"0..63\"", nil),
        ("UINT", "minimum = 70000", "m:19:11: minimum 70000 is beyond what type UINT gives (0…65535), so no value is within it"),
        ("INT", "maximum = -40000", "m:19:11: maximum -40000 is beyond what type INT gives (-32768…32767), so no value is within it"),
        ("UINT", "scale = 0.1\nmaximum = 6553.5", nil),
        ("UINT", "scale = 0.1\nminimum = 6553.6", "m:20:11: minimum 6553.6 is beyond what type UINT with scale gives (0…6553.5), so no value is within it"),
        ("INT", "scale = -0.001\noffset = 100\nmaximum = 60", "m:21:11: maximum 60 is beyond what type INT with scale and offset gives (67.233…132.768), so no value is within it"),
        ("UINT", "bits = \"4..7\"\nenumeration = { 0 = \"a\", 16 = \"b\" }", "m:20:15: enumeration has 16, which is beyond what type UINT with bits gives (0…15)"),
        ("UINT", "enumeration = { 70000 = \"a\" }", "m:19:15: enumeration has 70000, which is beyond what type UINT gives (0…65535)"),
        ("ULINT", "enumeration = { 9223372036854775807 = \"a\" }", nil), ("REAL", "minimum = 1e39", "m:19:11: minimum 1e+39 is beyond what type REAL gives (-3.4028234663852886e+38…3.4028234663852886e+38), so no value is within it"),
        ("LREAL", "minimum = -1e300\nmaximum = 1e300", nil),
    ])
    func ranges(type: String, lines: String, expected: String?) {
        let found = messages(file(point: "type = \"\(type)\"\narea = \"input-register\"\naddress = 0\n\(lines)"))
        #expect(found == (expected.map { [$0] } ?? []))
    }

    @Test("a deadband is for numbers", arguments: [
        ("INT", "deadband = 1", "enumeration = { 1 = \"on\" }", false), ("INT", "deadband-percent = 1", "enumeration = { 1 = \"on\" }", false),
        ("STRING", "deadband = 1", "length = 4", false), ("INT", "deadband = 1", "", true),
    ])
    func deadband(type: String, deadband: String, lines: String, isAllowed: Bool) {
        let found = messages(file(point: "type = \"\(type)\"\narea = \"input-register\"\naddress = 0\nreport = \"on-change\"\n\(deadband)\n\(lines)"))
        #expect(found.count == (isAllowed ? 0 : 1))
        #expect(found.allSatisfy { $0.contains("has a meaning only when report is \"on-change\" and the value is a number") })
    }

    @Test("the highest addresses are allowed", arguments: [
        "type = \"INT\"\narea = \"input-register\"\naddress = 65535",
        "type = \"REAL\"\narea = \"input-register\"\naddress = 65534",
        "type = \"STRING\"\narea = \"input-register\"\naddress = 65411\nlength = 250",
        "type = \"BOOL\"\narea = \"coil\"\naddress = 65535\nwritable = true",
    ])
    func highestAddresses(lines: String) {
        #expect(messages(file(point: lines)) == [])
    }

    @Test("a bus has the keys of its protocol", arguments: [
        ("modbus-tcp", "", ["m:1:1: [[bus]] with protocol \"modbus-tcp\" needs the key \"host\""]),
        ("modbus-rtu", "", ["m:1:1: [[bus]] with protocol \"modbus-rtu\" needs the key \"serial-port\""]),
        ("modbus-tcp", "host = \"h\"\nparity = \"odd\"", ["m:5:10: parity has a meaning only when protocol is \"modbus-rtu\" or \"serial-text\""]),
        ("modbus-rtu", "serial-port = \"/dev/ttyS1\"\nport = 502", ["m:5:8: port has a meaning only when protocol is \"modbus-tcp\" or \"modbus-rtu-tcp\" or \"serial-text\""]),
        ("modbus-rtu", "serial-port = \"/dev/ttyS1\"\ndata-bits = 7", ["m:5:13: data-bits 7 is not supported (8)"]),
        (
            "modbus-rtu", "serial-port = \"/dev/ttyS1\"\nrs485 = true\nrs485-line = \"DE\"",
            ["m:6:14: rs485-line has a meaning only when there is a serial-port and rs485 is false"]
        ),
        (
            "modbus-rtu", "serial-port = \"/dev/ttyS1\"\nrs485-active-low = true\ndelay-after-send = \"1ms\"",
            [
                "m:5:20: rs485-active-low has a meaning only when there is an rs485-line",
                "m:6:20: delay-after-send has a meaning only when rs485 is true or there is an rs485-line",
            ]
        ),
        ("modbus-rtu", "serial-port = \"/dev/ttyS1\"\nrs485-line = \"\"", ["m:5:14: rs485-line must not be empty"]),
        ("modbus-rtu", "serial-port = \"/dev/ttyS1\"\nrs485-line = \"gpiochip0:\"", ["m:5:14: rs485-line \"gpiochip0:\" has no line behind its chip"]),
        ("modbus-rtu", "serial-port = \"/dev/ttyS1\"\nrs485-line = \":4\"", ["m:5:14: rs485-line \":4\" has no chip before the colon"]),
        ("modbus-tcp", "host = \"h:502\"", ["m:4:8: host \"h:502\" is not a host name or an IP address (the port has a key of its own)"]),
        ("modbus-tcp", "host = \"2001:db8::1\"", []),
        ("modbus-ascii", "", ["m:3:12: protocol \"modbus-ascii\" is not supported (\(Drivers.catalogue.protocolNames.map { "\"\($0)\"" }.joined(separator: ", ")))"]),
    ])
    func buses(name: String, lines: String, expected: [String]) {
        #expect(messages(file(point: register, bus: lines, protocol: name)) == expected)
    }

    @Test("a unit identifier fits the protocol of its bus", arguments: [
        ("modbus-tcp", 0, true), ("modbus-tcp", 247, true), ("modbus-tcp", 248, false), ("modbus-tcp", 255, true),
        ("modbus-rtu", 0, true), ("modbus-rtu", 248, false), ("modbus-rtu", 247, true), ("modbus-rtu", 255, false),
    ])
    func unitIdentifiers(name: String, unit: Int, isValid: Bool) {
        let bus = name == "modbus-tcp" ? "host = \"h\"" : "serial-port = \"/dev/ttyS1\""
        let found = messages(file(point: register, bus: bus, protocol: name, device: "unit-identifier = \(unit)"))
        let allowed = name == "modbus-tcp" ? "0…247 and 255" : "0…247"
        #expect(found == (isValid ? [] : ["m:13:19: unit-identifier \(unit) is out of range on \(name) (\(allowed))"]))
    }

    @Test("a unit identifier needs a bus")
    func unitWithoutBus() {
        let text = "[[product]]\nkey = \"p\"\n[[device]]\nproduct = \"p\"\nkey = \"d\"\nunit-identifier = 1\n"
        #expect(messages(text) == ["m:6:19: unit-identifier has a meaning only when there is a bus"])
    }

    @Test("a device on a bus has something to read there")
    func nothingToRead() {
        #expect(
            messages(file(point: "type = \"INT\""))
                == ["m:12:7: product \"p\" has no point with a place on a bus, so nothing can be read there"]
        )
    }

    @Test("a name is used once", arguments: [
        ("[[product]]\nkey = \"p\"\n[[product]]\nkey = \"p\"\n", "m:4:7: product \"p\" is already there at line 1"),
        (
            "[[product]]\nkey = \"p\"\n[[device]]\nproduct = \"p\"\nkey = \"d\"\n[[device]]\nkey = \"d\"\nproduct = \"p\"\n",
            "m:7:7: device \"p/d\" is already there at line 3"
        ),
        (
            "[[product]]\nkey = \"p\"\npoint = [{identifier=\"a\", type=\"INT\"}, {identifier=\"a\", type=\"INT\"}]\n",
            "m:3:52: point \"a\" is already there at line 3"
        ),
        (
            "[[product]]\nkey = \"p\"\ngroup = [{name=\"a\"}, {name=\"a\"}]\n", "m:3:28: group \"a\" is already there at line 3"
        ),
        (
            "[[rule]]\nname = \"r\"\nsql = \"s\"\ntopic = \"t\"\n[[rule]]\nname = \"r\"\nsql = \"s\"\ntopic = \"t\"\n",
            "m:6:8: rule \"r\" is already there at line 1"
        ),
        ("[[listener]]\n[[listener]]\nport = 1\n", "m:2:1: listener \"local\" is already there at line 1"),
    ])
    func duplicates(text: String, expected: String) {
        #expect(messages(text) == [expected])
    }

    @Test("a point on a bus has a group")
    func groups() {
        let point = "[[product.point]]\nidentifier = \"x\"\n" + register
        #expect(
            messages("[[product]]\nkey = \"p\"\n" + point)
                == ["m:3:1: point \"x\" is on a bus and needs a [[product.group]] that says how often it is read"]
        )
        #expect(
            messages("[[product]]\nkey = \"p\"\ngroup = [{name=\"a\"}, {name=\"b\"}]\n" + point)
                == ["m:4:1: point \"x\" needs the key \"group\" as there are 2 groups"]
        )
    }

    @Test("a reference to something whose name was refused is not a second mistake")
    func noCascades() {
        let text = "[[product]]\nkey = \"p/\"\n[[device]]\nproduct = \"p\"\nkey = \"d\"\n"
        #expect(messages(text) == ["m:2:7: key \"p/\" must be one topic level: without \"/\", \"+\", \"#\" and control characters"])
    }

    @Test("keys of topics do not begin with a dollar sign")
    func dollar() {
        #expect(
            messages("[[product]]\nkey = \"$SYS\"\n")
                == ["m:2:7: key \"$SYS\" must not begin with \"$\", which marks a server's own topics"]
        )
    }

    private func bridge(_ lines: String) -> String {
        "[[bridge]]\nname = \"c\"\nhost = \"h\"\nclient-identifier = \"i\"\n\(lines)\n"
    }

    @Test("a bridge's keys fit each other", arguments: [
        ("", "m:1:1: [[bridge]] needs at least one [[bridge.forward]] or [[bridge.receive]]"),
        ("password-file = \"f\"\nforward = [{filter=\"#\"}]", "m:5:17: password-file has a meaning only when there is a user-name"),
        ("keep-alive = \"1500ms\"\nforward = [{filter=\"#\"}]", "m:5:14: keep-alive must be whole seconds"),
        ("reconnect-interval = \"2s\"\nmax-back-off = \"1s\"\nforward = [{filter=\"#\"}]", "m:6:16: max-back-off must not be shorter than reconnect-interval"),
        ("reconnect-interval = \"1h\"\nforward = [{filter=\"#\"}]", "m:5:22: max-back-off must not be shorter than reconnect-interval"),
        ("protocol = \"3.1.1\"\nsession-expiry = \"1h\"\nforward = [{filter=\"#\"}]", "m:6:18: session-expiry has a meaning only when protocol is \"5.0\""),
        ("websocket-path = \"/m\"\nforward = [{filter=\"#\"}]", "m:5:18: websocket-path has a meaning only when transport is \"websocket\" or \"wss\""),
        ("return-to-first = \"1m\"\nforward = [{filter=\"#\"}]", "m:5:19: return-to-first has a meaning only when there are failover-servers"),
        ("failover-servers = [\"b:c\"]\nforward = [{filter=\"#\"}]", "m:5:20: failover-servers \"b:c\" is not a server such as \"broker.example.com\", \"192.0.2.1:8883\" or \"[2001:db8::1]:8883\""),
        ("forward = [{filter=\"#\"}]\ntls = {min-version=\"1.3\"}", "m:6:7: [bridge.tls] has a meaning only when transport is \"tls\" or \"wss\""),
        ("transport = \"tls\"\nforward = [{filter=\"#\"}]\ntls = {certificate-file=\"a\"}", "m:7:7: [tls] needs the key \"key-file\" when there is a certificate-file"),
        ("transport = \"tls\"\nforward = [{filter=\"#\"}]\ntls = {psk-file=\"a\"}", "m:7:7: [tls] needs the key \"psk-identity\" when there is a psk-file"),
        ("transport = \"tls\"\nforward = [{filter=\"#\"}]\ntls = {psk-file=\"a\", psk-identity=\"i\", ca-file=\"c\"}", "m:7:48: ca-file has a meaning only when the server's certificate is verified: without psk-file and insecure-no-verification"),
        ("forward = [{filter=\"#\"}]\nbirth = {payload=\"x\"}", "m:6:9: [birth] needs the key \"topic\""),
        ("forward = [{filter=\"#\"}]\nbirth = {topic=\"a\", qos=2}", "m:6:25: qos 2 is not supported (0, 1)"),
        ("forward = [{filter=\"a#\"}]", "m:5:20: filter \"a#\" is not a topic filter: \"+\" fills a whole level, \"#\" the whole last level"),
        ("forward = [{filter=\"a\", prefix=\"b/+\"}]", "m:5:32: prefix \"b/+\" is not a topic prefix: it must not contain \"+\", \"#\" and control characters"),
        ("forward = [{filter=\"a\", prefix=\"b\", topic=\"c\"}]", "m:5:43: topic replaces the whole topic: leave out prefix and remove-prefix"),
        ("receive = [{filter=\"a\", topic=\"x/${a\"}]", "m:5:31: topic \"x/${a\" has a \"${\" without its \"}\""),
        ("receive = [{filter=\"a\", topic=\"x/#\"}]", "m:5:31: topic \"x/#\" is not a topic: it must not contain \"+\", \"#\" and control characters"),
    ])
    func bridges(lines: String, expected: String) {
        #expect(messages(bridge(lines)) == [expected])
    }
}
