import Configuration
import Core
import FieldBus
import Glibc
import TestSupport
import Testing

@Suite("Decoding a configuration")
struct DecodingTests {
    @Test("an empty file gives the defaults")
    func empty() throws {
        let configuration = try MartletConfiguration.decode(text: "", file: "martlet.toml", drivers: Drivers.catalogue)
        #expect(configuration == MartletConfiguration())
        #expect(configuration.listeners.map(\.port) == [1883])
        #expect(configuration.broker.maxPacketSize == 1_048_576)
        #expect(configuration.cache.maxAge == .seconds(30 * 86_400))
    }

    @Test("every value of a full file arrives")
    func full() throws {
        let configuration = try MartletConfiguration.decode(text: fullExample, file: "/etc/martlet/martlet.toml", drivers: Drivers.catalogue)
        #expect(configuration.appliance.name == "box-1")
        #expect(configuration.appliance.logLevel == .debug)
        #expect(configuration.broker.maxQueuedBytes == 8_000_000)
        #expect(configuration.broker.maxKeepAlive == .seconds(90))
        #expect(configuration.listeners.map(\.address) == ["::1", "0.0.0.0", "127.0.0.1", "127.0.0.1"])
        #expect(configuration.listeners.map(\.port) == [1884, 1883, 8080, 1883])
        #expect(configuration.listeners.map(\.isReachable) == [false, true, false, false])
        #expect(configuration.listeners[1].tls.serverNames.map(\.host) == ["*.example.com"])
        #expect(configuration.listeners[1].tls.minVersion == .v13 && configuration.listeners[1].tls.userFromCertificate == .sanDNS)
        #expect(configuration.listeners[3].path == "mqtt.sock" && configuration.listeners[3].socketMode == FileMode(0o600))
        #expect(configuration.authentication.passwordFile == "users" && configuration.authentication.defaultAccess == .allow)
        #expect(configuration.accessRules.map(\.access) == [.deny, .allow, .allow])
        #expect(configuration.accessRules.map(\.actions) == [[.publish, .receive], [.subscribe], [.all]])
        #expect(configuration.accessRules[0].address?.length == 33 && configuration.accessRules[0].address?.bytes.count == 16)
        #expect(configuration.accessRules[0].topic == "a/%c/+/x-%u/100%/#" && configuration.accessRules[1].topic == nil)
        #expect(configuration.protection.banBy == [.userName, .address] && configuration.protection.flapAfter == 7)
        #expect(configuration.protection.publishByteRate == 65_536 && configuration.protection.publishPolicy == .disconnect)
        let meter = try #require(configuration.product(key: "meter"))
        #expect(meter.groups.map(\.interval) == [.milliseconds(500), .seconds(60)])
        let temp = try #require(meter.points.first)
        let place: ModbusPointTable = try #require(temp.driver.keys())
        #expect(temp.type == .int && place.wordOrder == .badc && temp.scale == 0.1 && temp.offset == -40)
        #expect(temp.minimum == -40 && temp.maximum == 85.5 && temp.whenOutside == .clamp)
        #expect(temp.report == .onChange && temp.deadband == 0.5 && temp.maxSilence == .seconds(600) && temp.staleAfter == .seconds(3600))
        #expect(meter.group(of: temp)?.name == "fast")
        #expect(meter.points[1].driver.keys(as: ModbusPointTable.self)?.bit == 15 && meter.points[1].writable)
        #expect(meter.points[2].driver.keys(as: ModbusPointTable.self)?.length == 15)
        #expect(!meter.points[4].isOnBus && meter.group(of: meter.points[4]) == nil && meter.points[4].expression == "temp * 2")
        #expect(meter.points[5].bits == BitRange(lowest: 4, highest: 7) && meter.points[5].deadbandPercent == nil)
        #expect(meter.points[5].enumeration == [EnumerationLabel(number: 0, text: "off"), EnumerationLabel(number: 1, text: "on")])
        let rtu = try #require(configuration.bus(name: "line-2"))
        let line: ModbusRTU.BusTable = try #require(rtu.driver.keys())
        #expect(rtu.protocol == "modbus-rtu" && line.serialPort == "/dev/ttyS1" && line.baudRate == 19_200)
        #expect(configuration.devices.map(\.identifier.description) == ["weather/w1", "meter/m1", "meter/m2", "tracker/t1", "cabinet/c1", "scale/s1", "box/b1"])
        #expect(configuration.devices[1].driver.keys(as: ModbusDeviceTable.self)?.timeout == .seconds(2))
        #expect(configuration.rules[0].sql.hasPrefix("SELECT measurepoints.temp AS t\nFROM"))
        #expect(configuration.rules[0].qos == .atLeastOnce)
        let bridge = configuration.bridges[0]
        #expect(bridge.reconnectInterval == .seconds(2) && bridge.maxBackOff == .seconds(30) && bridge.keepAlive == .seconds(30))
        #expect(bridge.forward.map(\.prefix) == ["site/7", nil])
        #expect(bridge.receive[0].removePrefix == "site/7" && bridge.receive[0].qos == .atMostOnce)
        #expect(bridge.forward.map(\.priority) == [5, 9] && bridge.forward[0].maxAge == nil && bridge.forward[1].whenFull == .thin)
        #expect(bridge.forward[1].maxSize == 64 << 20 && bridge.forward[1].maxAge == .seconds(5 * 86_400))
        #expect(bridge.order == .liveFirst && bridge.backfillRate == 100 && bridge.backfillBytesPerSecond == 8192 && bridge.marksBackfill)
        #expect(bridge.backfillPrefix == "late" && configuration.bridges[1].backfillTopic == "late/${topic[1]}")
        #expect(configuration.bridges[1].order == .liveFirst && configuration.bridges[2].order == .strict)
        #expect(configuration.cache.size == .bytes(512 << 20) && configuration.cache.compression == .none)
        #expect(configuration.cache.whenFull == .refuse)
    }

    @Test("the size of the cache is the board's share, a number of bytes or a time", arguments: [
        ("auto", MartletConfiguration.Cache.Size.auto), ("2GiB", .bytes(2 << 30)), ("30d", .duration(.seconds(30 * 86_400))),
        ("90m", .duration(.seconds(5400))),
    ])
    func cacheSize(text: String, expected: MartletConfiguration.Cache.Size) throws {
        let text = "[cache]\nsize = \"\(text)\"\n"
        let configuration = try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue)
        #expect(configuration.cache.size == expected)
        #expect(try MartletConfiguration.decode(text: ConfigurationPrinter.file(of: configuration), file: "m", drivers: Drivers.catalogue) == configuration)
    }

    @Test("forwards of one priority are one route of the cache, with what any of them says")
    func cacheRoutes() throws {
        let text = """
            [[bridge]]
            name = "c"
            host = "h"
            client-identifier = "i"
            forward = [
              { filter = "a", when-full = "thin" }, { filter = "b", priority = 9, max-size = "1MiB" }, { filter = "c", max-age = "1d" },
            ]
            """
        let routes = try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue).bridges[0].cacheRoutes
        #expect(routes.map(\.priority) == [9, 5])
        #expect(routes[0].maxSize == 1 << 20 && routes[0].whenFull == nil)
        #expect(routes[1].whenFull == .thin && routes[1].maxAge == .seconds(86_400) && routes[1].maxSize == nil)
    }

    @Test("a configuration printed as a file decodes to itself")
    func roundTrip() throws {
        let configuration = try MartletConfiguration.decode(text: fullExample, file: "martlet.toml", drivers: Drivers.catalogue)
        let printed = ConfigurationPrinter.file(of: configuration)
        #expect(try MartletConfiguration.decode(text: printed, file: "martlet.toml", drivers: Drivers.catalogue) == configuration)
        #expect(configuration != MartletConfiguration())
    }

    @Test("a value keeps its place in the file for those who check it later")
    func positions() throws {
        let text = "[[rule]]\nname = \"a\"\n  sql = \"SELECT\"\ntopic = \"t\"\n"
        let rule = try MartletConfiguration.decode(text: text, file: "m.toml", drivers: Drivers.catalogue).rules[0]
        #expect(rule.source["sql"] == SourcePosition(file: "m.toml", line: 3, column: 9))
        #expect(rule.source.position == SourcePosition(file: "m.toml", line: 1, column: 1))
        #expect(rule.source["qos"] == rule.source.position)
        #expect(ConfigurationError(rule.source["sql"], "no FROM").description == "m.toml:3:9: no FROM")
    }

    @Test("a relative path is relative to the folder of the file", arguments: [
        ("/etc/martlet/martlet.toml", "data", "/etc/martlet/data"),
        ("/etc/martlet/martlet.toml", "/var/data", "/var/data"),
        ("martlet.toml", "data", "data"),
        ("../m.toml", "data", "../data"),
        ("/m.toml", "data", "/data"),
    ])
    func resolves(file: String, path: String, expected: String) throws {
        let configuration = try MartletConfiguration.decode(text: "", file: file, drivers: Drivers.catalogue)
        #expect(configuration.resolve(path: path) == expected)
    }

    @Test("durations and sizes have units", arguments: [
        ("max-session-expiry = \"0s\"", Duration.zero, nil as Int?),
        ("max-session-expiry = \"1500s\"", .seconds(1500), nil),
        ("max-session-expiry = \"7d\"", .seconds(604_800), nil),
        ("max-packet-size = \"64KiB\"", nil, 65_536),
        ("max-packet-size = \"64KB\"", nil, 64_000),
        ("max-packet-size = \"2048B\"", nil, 2048),
        ("max-packet-size = \"1 MB\"", nil, 1_000_000),
    ] as [(String, Duration?, Int?)])
    func quantities(line: String, duration: Duration?, size: Int?) throws {
        let broker = try MartletConfiguration.decode(text: "[broker]\n\(line)\n", file: "m", drivers: Drivers.catalogue).broker
        if let duration { #expect(broker.maxSessionExpiry == duration) }
        if let size { #expect(broker.maxPacketSize == size) }
    }

    @Test("the data directory of a file is found whatever else is wrong with it", arguments: [
        ("[appliance]\nnamee = 1\ndata-directory = \"data\"\n[brokr]\n", "data"), ("[[bus]]\nprotocol = 7\n[appliance]\ndata-directory = \"/d\"\n", "/d"),
        ("devices = 3\n", "/var/lib/martlet"),
    ])
    func dataDirectory(text: String, expected: String) throws {
        let folder = TestFolder()
        let file = folder.write("martlet.toml", text)
        #expect(try MartletConfiguration.dataDirectory(path: file) == (expected.hasPrefix("/") ? expected : "\(folder.path)/\(expected)"))
    }

    @Test("a file whose data directory cannot be told says why", arguments: [
        ("[appliance]\ndata-directory = 7\n", "2:18: data-directory must be a string, not an integer"), ("appliance = 7\n", "1:1: appliance must be a table, [appliance], not an integer"),
    ])
    func noDataDirectory(text: String, expected: String) {
        let folder = TestFolder()
        let file = folder.write("martlet.toml", text)
        do throws(ConfigurationErrors) {
            Issue.record("there is one: \(try MartletConfiguration.dataDirectory(path: file))")
        } catch {
            #expect(error.description == "\(file):\(expected)")
        }
    }

    @Test("a file is read from disk, and one that is not there is an error of the whole file")
    func loads() throws {
        var path = Array("/tmp/martlet-configuration-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        let name = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { unlink(name) }
        let text = "[appliance]\nname = \"from-disk\"\n"
        #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
        #expect(try MartletConfiguration.load(path: name, drivers: Drivers.catalogue).appliance.name == "from-disk")
        // One byte more than the largest file: sparse, so that nothing is written.
        #expect(ftruncate(descriptor, MartletConfiguration.maxFileSize + 1) == 0)
        #expect(messages { try MartletConfiguration.load(path: name, drivers: Drivers.catalogue) } == ["\(name): the file is larger than 4 MiB"])
        close(descriptor)
        #expect(
            messages { try MartletConfiguration.load(path: "/nonexistent/m.toml", drivers: Drivers.catalogue) }
                == ["/nonexistent/m.toml: the file cannot be opened: No such file or directory"]
        )
        #expect(messages { try MartletConfiguration.load(path: "/tmp", drivers: Drivers.catalogue) } == ["/tmp: the file cannot be read: Is a directory"])
    }
}

/// The errors that `body` throws, as lines; none when it does not throw.
func messages(_ body: () throws -> MartletConfiguration) -> [String] {
    do {
        _ = try body()
        return []
    } catch let errors as ConfigurationErrors {
        return errors.errors.map(\.description)
    } catch {
        return ["\(error)"]
    }
}

/// The errors in `text`, read as the file `m`.
func messages(_ text: String) -> [String] {
    messages { try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue) }
}
