import Configuration
import Core
import FieldBus
import TestSupport
import Testing

@Suite("Device profiles")
struct DeviceProfileTests {
    @Test("every built-in profile is valid and says where it is from", arguments: DeviceProfile.builtInNames)
    func builtIn(name: String) throws {
        let profile = try DeviceProfile.load(name, drivers: Drivers.catalogue)
        #expect(profile.manufacturer != nil && profile.model != nil && profile.document != nil && !profile.name.isEmpty)
        #expect(profile.points.allSatisfy { $0.isOnBus && $0.name != nil })
        #expect(try #require(DeviceProfile.builtInText(name)).hasPrefix("# "))
    }

    @Test("no two points of a built-in profile share a register", arguments: DeviceProfile.builtInNames)
    func overlaps(name: String) throws {
        var owners: [String: String] = [:]
        for point in try DeviceProfile.load(name, drivers: Drivers.catalogue).points {
            let keys: ModbusPointTable = try #require(point.driver.keys())
            var place = ModbusPoint(identifier: point.identifier, type: point.type, area: keys.area, address: keys.address)
            place.length = keys.length ?? 0
            for register in keys.address..<keys.address + place.quantity {
                let place = "\(keys.area.rawValue) \(register)"
                if let other = owners.updateValue(point.identifier, forKey: place) {
                    Issue.record("\(point.identifier) and \(other) share \(place)")
                }
            }
        }
    }

    @Test("a profile that is printed decodes to the same", arguments: DeviceProfile.builtInNames)
    func printed(name: String) throws {
        let profile = try DeviceProfile.load(name, drivers: Drivers.catalogue)
        let text = ConfigurationPrinter.file(of: profile)
        #expect(try DeviceProfile.decode(text: text, file: "printed", drivers: Drivers.catalogue) == profile)
    }

    private static let profile = """
        name = "Two values"
        protocol = "modbus-rtu"
        [[group]]
        name = "values"
        [[point]]
        identifier = "a"
        type = "INT"
        area = "input-register"
        address = 1
        [[point]]
        identifier = "b"
        type = "INT"
        area = "input-register"
        address = 2
        """

    /// A configuration beside a file own.toml.
    private func decode(_ text: String, profile: String = DeviceProfileTests.profile) throws -> MartletConfiguration {
        let folder = TestFolder()
        folder.write("own.toml", profile)
        return try MartletConfiguration.decode(text: text, file: folder.path + "/martlet.toml", drivers: Drivers.catalogue)
    }

    /// The mistakes, with file names instead of paths.
    private func mistakes(_ text: String, profile: String = DeviceProfileTests.profile) -> [String] {
        do {
            _ = try decode(text, profile: profile)
            return []
        } catch let error as ConfigurationErrors {
            return error.errors.map { "\($0.file.split(separator: "/").last ?? ""):\($0.line):\($0.column): \($0.message)" }
        } catch {
            return ["\(error)"]
        }
    }

    @Test("a product has the points of its profile, replaces some and adds others")
    func merged() throws {
        let text = """
            [[bus]]
            name = "line"
            protocol = "modbus-tcp"
            host = "h"
            [[product]]
            key = "p"
            profile = "own.toml"
              [[product.group]]
              name = "values"
              interval = "5s"
              [[product.group]]
              name = "slow"
              interval = "1h"
              [[product.point]]
              identifier = "b"
              type = "UINT"
              group = "slow"
              area = "holding-register"
              address = 20
              [[product.point]]
              identifier = "c"
              type = "LREAL"
              expression = "a * 2"
            [[device]]
            product = "p"
            key = "d"
            bus = "line"
            """
        let configuration = try decode(text)
        let product = try #require(configuration.product(key: "p"))
        #expect(product.points.map(\.identifier) == ["a", "b", "c"])
        #expect(product.groups.map(\.name) == ["values", "slow"])
        #expect(product.points.map { product.group(of: $0)?.interval } == [.seconds(5), .seconds(3600), nil])
        let place: ModbusPointTable = try #require(product.points[1].driver.keys())
        #expect(place.area == .holdingRegister && place.address == 20 && product.points[1].type == .uint)
    }

    private static let lineOfMeter = """
        [[bus]]
        name = "line"
        protocol = "modbus-tcp"
        host = "h"
        [[device]]
        product = "p"
        key = "d"
        bus = "line"
        [[product]]
        key = "p"
        profile = "own.toml"

        """

    private static let scaled = profile + "\nscale = 0.1\nunit = \"V\"\nreport = \"on-change\"\ndeadband = 2\n"

    private func overridden(_ keys: String) throws -> MartletConfiguration.Product.Point {
        let text = Self.lineOfMeter + "[[product.point]]\nidentifier = \"b\"\n" + keys
        return try #require(try decode(text, profile: Self.scaled).products[0].points.last)
    }

    @Test("a point of the profile keeps what the product's point does not name")
    func mergedByKey() throws {
        let point = try overridden("deadband = 5\nmax-silence = \"1m\"\naddress = 30")
        #expect(point.identifier == "b" && point.type == .int && point.scale == 0.1 && point.unit == "V" && point.group == "values")
        #expect(point.report == .onChange && point.deadband == 5 && point.maxSilence == .seconds(60))
        let place: ModbusPointTable = try #require(point.driver.keys())
        #expect(place.area == .inputRegister && place.address == 30)
    }

    @Test("what of the profile's point has no meaning beside the new keys is left out")
    func mergedWithoutMeaning() throws {
        let always = try overridden("report = \"always\"")
        #expect(always.report == .always && always.deadband == nil && always.scale == 0.1)
        let relative = try overridden("deadband-percent = 1")
        #expect(relative.deadband == nil && relative.deadbandPercent == 1)
        let calculated = try overridden("expression = \"a * 2\"")
        #expect(calculated.expression == "a * 2" && !calculated.isOnBus && calculated.scale == nil && calculated.group == nil && calculated.unit == "V")
    }

    /// The mistakes when the profile's point and the product's have these keys.
    private func retyped(_ profile: String, _ keys: String) -> [String] {
        mistakes(
            Self.lineOfMeter + "[[product.point]]\nidentifier = \"c\"\n" + keys,
            profile: Self.profile + "\n[[point]]\nidentifier = \"c\"\narea = \"holding-register\"\naddress = 9\n" + profile)
    }

    @Test("a key of the protocol that a new type or area leaves without a meaning gives way if it is the profile's", arguments: [
        ("type = \"BOOL\"\nbit = 3", "type = \"INT\""),
        ("type = \"BOOL\"\nbit = 3", "area = \"coil\""),
        ("type = \"REAL\"\nword-order = \"cdab\"", "type = \"BOOL\"\nbit = 1"),
        ("type = \"STRING\"\nlength = 20\nword-order = \"badc\"", "type = \"UDINT\""),
    ])
    func retypedOnBus(profile: String, keys: String) { #expect(retyped(profile, keys) == []) }

    @Test("such a key of the product's own point stays a mistake", arguments: [
        ("type = \"BOOL\"\nbit = 3", "type = \"INT\"\nbit = 4", "15:7: bit has a meaning only when type is \"BOOL\" and area is a register"),
        ("type = \"REAL\"", "type = \"BOOL\"\nbit = 1\nword-order = \"cdab\"", "16:14: word-order has a meaning only when type is not \"BOOL\""),
        ("type = \"INT\"", "length = 4", "14:10: length has a meaning only when type is \"STRING\""),
    ])
    func retypedByOwnKey(profile: String, keys: String, expected: String) {
        #expect(retyped(profile, keys) == ["martlet.toml:\(expected)"])
    }

    @Test("what a new type needs and the profile does not have is a mistake")
    func retypedIncomplete() {
        #expect(retyped("type = \"REAL\"", "type = \"BOOL\"") == ["martlet.toml:12:1: [[point]] needs the key \"bit\" when type is \"BOOL\" and area is a register"])
    }

    @Test("what a profile's point sends is left out when the product's may not be written")
    func retypedText() throws {
        let profile = "name = \"x\"\nprotocol = \"serial-text\"\n[[group]]\nname = \"g\"\n[[point]]\nidentifier = \"a\"\ntype = \"INT\"\nfield = \"frame\"\n"
        let text = "[[product]]\nkey = \"p\"\nprofile = \"own.toml\"\n[[product.point]]\nidentifier = \"a\"\nwritable = false\n"
        #expect(mistakes(text, profile: profile + "writable = true\nsend = \"S\"\n") == [])
        #expect(mistakes(text + "send = \"S\"\n", profile: profile) == ["martlet.toml:7:8: send has a meaning only when writable is true"])
    }

    @Test("a key of the profile that contradicts the product's is told at the product's point")
    func mergedContradiction() {
        let text = Self.lineOfMeter + "[[product.point]]\nidentifier = \"b\"\nminimum = 5000\n"
        #expect(mistakes(text, profile: Self.scaled) == ["martlet.toml:14:11: minimum 5000 is beyond what type INT with scale gives (-3276.8…3276.7), so no value is within it"])
        let writable = Self.lineOfMeter + "[[product.point]]\nidentifier = \"b\"\narea = \"coil\"\n"
        #expect(mistakes(writable, profile: Self.scaled) == ["martlet.toml:12:1: type must be \"BOOL\" in area \"coil\", which holds single bits"])
    }

    @Test("a point that is neither the profile's nor has a type is told with the nearest ones of the profile, once")
    func misspelt() {
        let text = Self.lineOfMeter + "[[product.point]]\nidentifier = \"voltage-l4\"\naddress = 7\n"
        let advice = "A point of the product's own needs the key \"type\""
        let near = Self.profile.replacing("\"a\"", with: "\"voltage-l1\"").replacing("\"b\"", with: "\"voltage-l2\"")
        #expect(
            mistakes(text, profile: near) == [
                "martlet.toml:13:14: there is no point \"voltage-l4\" in profile \"own.toml\"; did you mean \"voltage-l1\" or \"voltage-l2\"? \(advice)"
            ])
        #expect(mistakes(text) == ["martlet.toml:13:14: there is no point \"voltage-l4\" in profile \"own.toml\" (a, b). \(advice)"])
    }

    @Test("a product whose profile cannot be read has that one mistake")
    func mergedWithNothing() {
        let text = Self.lineOfMeter + "[[product.point]]\nidentifier = \"b\"\nmaximum = 5000\n"
        #expect(mistakes(text, profile: "[[point]") .count == 1)
    }

    @Test("a product with a profile prints as a file that decodes to the same")
    func printedProduct() throws {
        let configuration = try decode("[[product]]\nkey = \"p\"\nprofile = \"schneider-iem3155\"\n")
        #expect(configuration.products[0].points.count > 20)
        #expect(try decode(ConfigurationPrinter.file(of: configuration)) == configuration)
    }

    @Test("a mistake in a profile is reported once, at its place in the profile's file")
    func mistakeInProfile() {
        let two = "[[product]]\nkey = \"p\"\nprofile = \"own.toml\"\n[[product]]\nkey = \"q\"\nprofile = \"own.toml\"\n"
        let profile = DeviceProfileTests.profile
        #expect(mistakes(two, profile: profile + "\naddres = 3") == ["own.toml:15:1: unknown key \"addres\" in [[point]] of a modbus-rtu device; did you mean \"address\"?"])
        #expect(mistakes(two, profile: profile + "\ngroup = \"valves\"") == ["own.toml:15:9: there is no group \"valves\"; did you mean \"values\"?"])
        #expect(mistakes(two, profile: "name = \"x\"\n") == ["own.toml:1:1: the file needs the key \"protocol\""])
        #expect(mistakes(two, profile: "name = \"x\"\nprotocol = \"modbus\"\n") == ["own.toml:2:12: protocol \"modbus\" is not supported (\(Drivers.catalogue.protocolNames.map { "\"\($0)\"" }.joined(separator: ", ")))"])
    }

    @Test("a profile that is not there is reported where it is named", arguments: [
        ("eastron-sdm63", "martlet.toml:3:11: there is no profile \"eastron-sdm63\"; did you mean \"eastron-sdm630\"? The path of a file has a \"/\" or ends with \".toml\""),
        ("none.toml", "martlet.toml:3:11: profile \"none.toml\": the file cannot be opened: No such file or directory"),
    ])
    func missing(name: String, expected: String) {
        #expect(mistakes("[[product]]\nkey = \"p\"\nprofile = \"\(name)\"\n") == [expected])
    }

    @Test("a point of the product's own needs a group when the profile has several")
    func groupNeeded() {
        let point = "[[product.point]]\nidentifier = \"x\"\ntype = \"INT\"\narea = \"coil\"\naddress = 0\n"
        let text = "[[product]]\nkey = \"p\"\nprofile = \"eastron-sdm630\"\n" + point.replacing("coil", with: "input-register")
        #expect(mistakes(text) == ["martlet.toml:4:1: point \"x\" needs the key \"group\" as there are 3 groups"])
    }

    @Test("a key of the product's own point is checked by the profile's protocol")
    func ownPointChecked() {
        let text = "[[product]]\nkey = \"p\"\nprofile = \"own.toml\"\n[[product.point]]\nidentifier = \"x\"\ntype = \"INT\"\nadress = 1\n"
        #expect(mistakes(text).contains("martlet.toml:7:1: unknown key \"adress\" in [[point]] of a modbus-rtu device; did you mean \"address\"?"))
    }
}
