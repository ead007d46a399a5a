import Configuration
import Core
import FieldBus
import TestSupport
import Testing

@testable import Appliance

/// What only the parts themselves can check is reported at its place in the file.
@Suite("From a file to a plan")
struct AppliancePlanTests {
    /// The errors of a file, one a line.
    private func errors(_ text: String) throws -> [String] {
        let configuration = try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue)
        do throws(ConfigurationErrors) {
            _ = try AppliancePlan(configuration)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    private func rule(_ sql: String, topic: String = "\"out\"") -> String {
        "[[rule]]\nname = \"r\"\nsql = \(sql)\ntopic = \(topic)\n"
    }

    @Test("a mistake in SQL on one line is at its column")
    func sql() throws {
        #expect(
            try errors(rule("'SELECT a FROM \"x\" HAVING 1'"))
                == ["m:3:26: HAVING is not supported"])
    }

    @Test("a mistake in SQL on several lines is at its line and column")
    func multilineSQL() throws {
        let sql = "'''\nSELECT a\n  FROM \"x\"\n WHERE rond(a) > 1\n'''"
        #expect(try errors(rule(sql)) == ["m:6:8: there is no function rond; did you mean round?"])
    }

    @Test("a mistake in a rule's topic is at its column")
    func ruleTopic() throws {
        #expect(
            try errors(rule("'SELECT a FROM \"x\"'", topic: "\"out/${name}\""))
                == ["m:4:16: expected topic, topic[number] or payload.path between ${ and }, found name"])
    }

    @Test("what a bridge cannot map is at the key that asks for it", arguments: [
        ("forward = [{filter=\"a/#\", remove-prefix=\"b\"}]", "m:5:41: remove-prefix \"b\" is not what the topics of \"a/#\" start with, up to the end of a level"),
        ("forward = [{filter=\"a/#\", prefix=\"b\"}]", "m:5:34: prefix \"b\" before topics of \"a/#\" would make one level of two; end the prefix with /"),
        ("receive = [{filter=\"a\", topic=\"x/${name}\"}]", "m:5:31: \"x/${name}\": a placeholder is ${topic[n]}, where n counts levels from 1, or from the end with a minus sign"),
    ])
    func bridge(route: String, expected: String) throws {
        #expect(
            try errors("[[bridge]]\nname = \"c\"\nhost = \"h\"\nclient-identifier = \"i\"\n\(route)\n") == [expected])
    }

    @Test("what of a bridge's TLS cannot be used is at the key that names the file")
    func bridgeTLS() throws {
        let folder = TestFolder()
        let authority = TestAuthority()
        let old = authority.issue([("CN", "old")], valid: -7200 ... -3600)
        let certificate = folder.write("old.pem", old.pem)
        let key = folder.write("old.key", old.keyPEM)
        let bridge = "[[bridge]]\nname = \"c\"\nhost = \"h\"\nclient-identifier = \"i\"\ntransport = \"tls\"\nforward = [{filter=\"#\"}]\n"
        let missing = try errors(bridge + "[bridge.tls]\nca-file = \"/none.pem\"\n")
        #expect(missing == ["m:8:11: /none.pem: cannot be opened: No such file or directory"])
        let expired = try errors(bridge + "[bridge.tls]\ncertificate-file = \"\(certificate)\"\nkey-file = \"\(key)\"\n")
        #expect(expired.count == 1 && expired[0].hasPrefix("m:8:20: ") && expired[0].contains("CN=old has expired at"))
        let cipher = try errors(bridge + "[bridge.tls]\nciphers = \"ROT13\"\n")
        #expect(cipher.count == 1 && cipher[0].hasPrefix("m:8:11: ciphers: cipher ROT13"))
        let shared = folder.write("psk", "a:00112233445566778899aabbccddeeff\n")
        let identity = try errors(bridge + "[bridge.tls]\npsk-file = \"\(shared)\"\npsk-identity = \"b\"\n")
        #expect(identity == ["m:8:12: \(shared): holds no key of the identity \"b\""])
    }

    private func bus(point: String) -> String {
        """
        [[product]]
        key = "p"
        group = [{name = "g", interval = "1s"}]
        point = [{identifier = "x", \(point)}]
        [[bus]]
        name = "line"
        protocol = "modbus-tcp"
        host = "192.0.2.1"
        [[device]]
        product = "p"
        key = "d"
        bus = "line"
        unit-identifier = 1

        """
    }

    @Test("what a driver does not accept is at its bus")
    func bus() throws {
        let file = bus(point: "type = \"INT\", area = \"holding-register\", address = 1")
        #expect(try errors(file) == [])
        var configuration = try MartletConfiguration.decode(text: file, file: "m", drivers: Drivers.catalogue)
        var place: ModbusPointTable = try #require(configuration.products[0].points[0].driver.keys())
        place.address = 70_000
        configuration.products[0].points[0].driver = DriverTable(place)
        let error = try #require(throws: ConfigurationErrors.self) { _ = try AppliancePlan(configuration) }
        #expect(
            error.errors.map(\.description)
                == ["m:5:1: bus line, device p/d, point x: address 70000 is not in 0…65535"])
    }

    @Test("all mistakes are told, in the order of the file")
    func all() throws {
        let file = rule("'SELECT'") + "[[rule]]\nname = \"s\"\nsql = 'FROM'\ntopic = \"${x}\"\n"
        #expect(try errors(file).map { $0.prefix(4) } == ["m:3:", "m:7:", "m:8:"])
    }

    @Test("a plan holds what the file says")
    func plan() throws {
        let plan = try AppliancePlan(
            MartletConfiguration.decode(
                text: bus(point: "type = \"REAL\", area = \"input-register\", address = 6, word-order = \"cdab\"")
                    + rule("'SELECT a FROM \"x\"'"), file: "m", drivers: Drivers.catalogue))
        let device = try #require((plan.buses.first as? ModbusBus)?.devices.first)
        #expect(device.identifier == DeviceIdentifier(productKey: "p", deviceKey: "d"))
        #expect(device.points.map(\.address) == [6])
        #expect(device.points.map(\.wordOrder) == [.cdab])
        #expect(device.points.map(\.interval) == [.seconds(1)])
        #expect(plan.rules.map(\.name) == ["r"])
    }
}
