import Configuration
import FieldBus
import Testing

/// What can work and hardly anybody means.
@Suite("Warnings of a file")
struct WarningTests {
    private func warnings(_ text: String) throws -> [String] {
        try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue).warnings.list.map(\.description)
    }

    private let bus = "[[bus]]\nname = \"b\"\nprotocol = \"modbus-tcp\"\nhost = \"h\"\n"
    private let product = "[[product]]\nkey = \"p\"\n[[product.group]]\nname = \"g\"\ninterval = \"5s\"\n"
    private let device = "[[device]]\nproduct = \"p\"\nkey = \"d\"\nbus = \"b\"\n"

    private func point(_ identifier: String, _ keys: String = "area = \"input-register\"\naddress = 0\n") -> String {
        "[[product.point]]\nidentifier = \"\(identifier)\"\ntype = \"INT\"\n\(keys)"
    }

    @Test("a file with nothing odd in it has none")
    func none() throws {
        #expect(try warnings(bus + product + point("x") + device) == [])
        #expect(try warnings("") == [])
    }

    @Test("a product without a device")
    func unusedProduct() throws {
        #expect(try warnings(product + point("x")) == ["m:2:7: warning: no [[device]] is of product \"p\""])
    }

    @Test("a product whose devices post by themselves needs no device")
    func productOfPosts() throws {
        let posts = "[[product]]\nkey = \"p\"\n" + point("x", "stale-after = \"4s\"\n") + point("z", "expression = \"x + 1\"\n")
        #expect(try warnings(posts) == [])
    }

    @Test("a group without a point")
    func unusedGroup() throws {
        let spare = "[[product.group]]\nname = \"spare\"\n"
        #expect(
            try warnings(bus + product + spare + point("x", "area = \"coil\"\naddress = 0\ngroup = \"g\"\n").replacing("INT", with: "BOOL") + device)
                == ["m:11:8: warning: no point of the product is in group \"spare\""])
    }

    @Test("a point that nothing gives a value, but not a calculated one")
    func withoutPlace() throws {
        let points = point("x") + point("y", "") + point("z", "expression = \"x + 1\"\n")
        #expect(
            try warnings(bus + product + points + device)
                == ["m:16:14: warning: point \"y\" has no place on bus \"b\" and no expression, so the box never has a value of it"])
        #expect(try warnings(product.replacing("[[product.group]]\nname = \"g\"\ninterval = \"5s\"\n", with: "") + point("y", "") + device.replacing("bus = \"b\"\n", with: "")) == [])
    }

    @Test("a point without a place is right when one device of the product posts by itself")
    func withoutPlaceOfSomeDevices() throws {
        let poster = "[[device]]\nproduct = \"p\"\nkey = \"e\"\n"
        #expect(try warnings(bus + product + point("x") + point("y", "") + device + poster) == [])
        #expect(try warnings(bus + product + point("x") + point("y", "") + poster + device) == [])
    }

    @Test("a limit wider than what the type gives", arguments: [
        ("UINT", "minimum = -1", "m:15:11: warning: minimum -1 is beyond what type UINT gives (0…65535), so it limits nothing"),
        ("UINT", "scale = 0.1\nmaximum = 7000", "m:16:11: warning: maximum 7000 is beyond what type UINT with scale gives (0…6553.5), so it limits nothing"),
        ("UINT", "scale = 0.1\nmaximum = 6553.5", nil), ("INT", "minimum = -1\nmaximum = 1", nil),
    ])
    func wideLimit(type: String, keys: String, expected: String?) throws {
        let wide = point("x", "area = \"input-register\"\naddress = 0\n\(keys)\n").replacing("\"INT\"", with: "\"\(type)\"")
        #expect(try warnings(bus + product + wide + device) == (expected.map { [$0] } ?? []))
    }

    @Test("a value that becomes stale before it is read again", arguments: [("4s", true), ("5s", false)])
    func stale(after: String, isOdd: Bool) throws {
        let found = try warnings(bus + product + point("x", "area = \"input-register\"\naddress = 0\nstale-after = \"\(after)\"\n") + device)
        #expect(
            found == (isOdd ? ["m:15:15: warning: stale-after is shorter than the interval of group \"g\", so the value is stale before it is read again"] : []))
    }

    @Test("what a line sends by itself is not read at an interval")
    func staleWithoutInterval() throws {
        let line = bus.replacing("modbus-tcp", with: "serial-text")
        #expect(try warnings(line + product + point("x", "field = \"column:1\"\nstale-after = \"4s\"\n") + device) == [])
    }

    @Test("two devices in one place: a mistake in one product, odd in two")
    func samePlace() throws {
        let file = bus + product + point("x")
        let second = "[[device]]\nproduct = \"p\"\nkey = \"e\"\nbus = \"b\"\n"
        #expect(messages(file + device + second) == ["m:19:1: unit-identifier 1 of bus \"b\" is that of device \"p/d\" at line 15 already"])
        #expect(messages(file + device + second + "unit-identifier = 1\n") == ["m:23:19: unit-identifier 1 of bus \"b\" is that of device \"p/d\" at line 15 already"])
        #expect(try warnings(file + device + second + "unit-identifier = 2\n") == [])
        let other = product.replacing("\"p\"", with: "\"q\"") + point("x")
        #expect(
            try warnings(file + other + device + second.replacing("\"p\"", with: "\"q\""))
                == ["m:29:1: warning: unit-identifier 1 of bus \"b\" is that of device \"p/d\" at line 25 too, which is right only if both are parts of one device"])
    }

    @Test("words of a command that were meant as several", arguments: [
        ("[\"python3 driver.py\"]", "m:4:11: command has the program \"python3 driver.py\" with spaces in its name; write its arguments as further elements: [\"python3\", \"driver.py\"]"),
        ("[\"/bin/driver --quiet\"]", "m:4:11: command has the program \"/bin/driver --quiet\" with spaces in its name; write its arguments as further elements: [\"/bin/driver\", \"--quiet\"]"),
        ("[\"/opt/my driver\"]", "m:4:11: warning: command has the program \"/opt/my driver\" with a space in its name; if that is not its name, write its arguments as further elements: [\"/opt/my\", \"driver\"]"),
        ("[\"driver\", \"--line 3\"]", "m:4:11: warning: command has the argument \"--line 3\", which the program gets as one word; write two elements if it is two"),
        ("[\"sh\", \"-c\", \"echo a b\", \"--title=a b\"]", nil),
    ])
    func commands(command: String, expected: String?) throws {
        let text = "[[bus]]\nname = \"b\"\nprotocol = \"external\"\ncommand = \(command)\n"
        let found = messages(text)
        #expect((found.isEmpty ? try warnings(text) : found) == (expected.map { [$0] } ?? []))
    }

    private func bridge(_ keys: String = "", forward: String, receive: String) -> String {
        "[[bridge]]\nname = \"b\"\nhost = \"h\"\nclient-identifier = \"c\"\n\(keys)[[bridge.forward]]\n\(forward)\n[[bridge.receive]]\n\(receive)\n"
    }

    @Test("without MQTT 5.0 a bridge that receives what it sends, after their names have changed", arguments: [
        ("filter = \"a/#\"", "filter = \"a/#\"", true),
        ("filter = \"a/+\"", "filter = \"a/b/#\"", true),
        ("filter = \"a\"", "filter = \"a/#\"", true),
        ("filter = \"#\"", "filter = \"x\"", true),
        ("filter = \"a/#\"", "filter = \"b/#\"", false),
        ("filter = \"a/b\"", "filter = \"a/b/c/#\"", false),
        ("filter = \"a/#\"\nprefix = \"up/\"", "filter = \"a/#\"", false),
        ("filter = \"a/#\"\nprefix = \"up/\"", "filter = \"up/a/b\"", true),
        ("filter = \"a/#\"\nremove-prefix = \"a/\"", "filter = \"x/y\"", true),
        ("filter = \"a/#\"\ntopic = \"up/${topic[2]}-x/y\"", "filter = \"up/1/y\"", true),
        ("filter = \"a/#\"\ntopic = \"up/${topic[2]}/y\"", "filter = \"up/1/z\"", false),
    ])
    func returning(forward: String, receive: String, isOdd: Bool) throws {
        let found = try warnings(bridge("protocol = \"3.1.1\"\n", forward: forward, receive: receive))
        #expect(found.count == (isOdd ? 1 : 0))
        if isOdd { #expect(found[0].contains("goes round without end, which only protocol = \"5.0\" prevents")) }
        #expect(try warnings(bridge(forward: forward, receive: receive)) == [])
    }

    @Test("without the bridge bit what goes up comes back")
    func withoutBridgeBit() throws {
        let keys = "protocol = \"3.1.1\"\nbridge-bit = false\n"
        #expect(
            try warnings(bridge(keys, forward: "filter = \"a\"", receive: "filter = \"a\""))
                == ["m:10:10: warning: the bridge also sends what \"a\" matches, and with bridge-bit = false it comes back and is taken for "
                    + "a new message: leave out bridge-bit, or keep the filters apart"])
    }

    private func forward(_ keys: String, _ bridge: String = "", cache: String = "") -> String {
        "[[bridge]]\nname = \"b\"\nhost = \"h\"\nclient-identifier = \"c\"\n\(bridge)[[bridge.forward]]\n\(keys)\n\(cache)"
    }

    @Test("a template that names a level which no topic of the filter has", arguments: [
        ("/y/+", "${topic[3]}", true), ("/y/+", "${topic[2]}", false), ("y/+", "a/${topic[-2]}/${topic[-3]}", true),
        ("y/#", "${topic[9]}", false), ("y", "y/${topic[9]}", true),
    ])
    func missingLevel(filter: String, topic: String, isOdd: Bool) throws {
        let found = try warnings(forward("filter = \"\(filter)\"\ntopic = \"\(topic)\""))
        #expect(found.count == (isOdd ? 1 : 0))
        if isOdd { #expect(found[0].hasPrefix("m:7:9: warning: topics of filter \"\(filter)\" have ")) }
    }

    @Test("two bridges that are one client for the upstream")
    func sameClient() throws {
        let one = forward("filter = \"a\"")
        let other = one.replacing("\"b\"", with: "\"d\"")
        #expect(
            try warnings(one + other)
                == ["m:10:21: warning: bridge \"b\" has this client-identifier at the same host and port: the upstream ends the one "
                    + "connection when the other comes; give each its own"])
        #expect(try warnings(one + other.replacing("\"c\"", with: "\"e\"")) == [])
        #expect(try warnings(one + other.replacing("\"c\"", with: "\"c\"\nport = 1884")) == [])
        #expect(try warnings(one + other.replacing("\"c\"", with: "\"c\"\nport = 1883")).count == 1)
    }

    @Test("two bridges that are one client for a server to which either falls back", arguments: [
        ("\"h\"", true), ("\"e\", \"h:1883\"", true), ("\"h:1884\"", false), ("\"e\"", false),
    ])
    func sameClientAfterFailover(servers: String, isSame: Bool) throws {
        let one = forward("filter = \"a\"")
        let other = one.replacing("\"b\"", with: "\"d\"").replacing("\"h\"", with: "\"f\"\nfailover-servers = [\(servers)]")
        let found = try warnings(one + other)
        #expect(found.count == (isSame ? 1 : 0))
        if isSame { #expect(found[0].contains("has this client-identifier at one of the same failover-servers")) }
    }

    @Test("a cache for longer than its messages may wait", arguments: [
        ("size = \"90d\"", 1), ("size = \"90d\"\nmax-age = \"90d\"", 0), ("size = \"20d\"", 0), ("max-age = \"1d\"", 0),
    ])
    func cacheOfDays(keys: String, count: Int) throws {
        #expect(try warnings("[cache]\n\(keys)\n").count == count)
    }

    @Test("a route that may use more than the cache has", arguments: [("512KiB", 0), ("2MiB", 1)])
    func routeOfCache(size: String, count: Int) throws {
        let found = try warnings(forward("filter = \"a\"\nmax-size = \"\(size)\"", cache: "[cache]\nsize = \"1MiB\"\n"))
        #expect(found.count == count)
    }

    @Test("marks without user properties")
    func marks() throws {
        let found = try warnings(forward("filter = \"a\"", "protocol = \"3.1.1\"\nmark-backfill = true\n"))
        #expect(found.count == 1 && found[0].hasPrefix("m:6:17: warning: MQTT 3.1.1 has no user properties"))
        #expect(try warnings(forward("filter = \"a\"", "order = \"strict\"\nmark-backfill = true\n")) == [])
    }
}
