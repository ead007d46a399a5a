import Configuration
import Core
import FieldBus
import TestSupport
import Testing

@Suite("Lists of points")
struct PointListTests {
    private func read(_ text: String) throws(PointListErrors) -> DeviceProfile {
        try PointList.read(Array(text.utf8), file: "p.csv", name: "Test", protocol: "modbus-tcp", drivers: Drivers.catalogue)
    }

    private func mistakes(_ text: String) -> [String] {
        do throws(PointListErrors) {
            _ = try read(text)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    private static let header = "identifier,type,area,address,scale,unit,writable,enumeration,interval\n"

    @Test("every key of a product's points and groups comes back from its list")
    func roundTrip() throws {
        let configuration = try MartletConfiguration.decode(text: fullExample, file: "m", drivers: Drivers.catalogue)
        let product = try #require(configuration.product(key: "meter"))
        let list = try #require(PointList.export(configuration, product: "meter", drivers: Drivers.catalogue))
        let profile = try read(list)
        #expect(profile.points == product.points)
        #expect(profile.groups == product.groups)
        let text = ConfigurationPrinter.file(of: profile)
        #expect(try DeviceProfile.decode(text: text, file: "printed", drivers: Drivers.catalogue) == profile)
    }

    @Test("a built-in profile comes back from its list", arguments: DeviceProfile.builtInNames)
    func builtIn(name: String) throws {
        let profile = try DeviceProfile.load(name, drivers: Drivers.catalogue)
        let list = try #require(PointList.export(profile, drivers: Drivers.catalogue))
        let read = try read(list)
        #expect(read.points == profile.points)
        // In the order in which the points name them.
        #expect(read.groups.sorted { $0.name < $1.name } == profile.groups.sorted { $0.name < $1.name })
    }

    @Test("the columns are the keys of a point, of its driver and of its group")
    func columns() throws {
        let list = try #require(PointList.export(MartletConfiguration.example, product: "p", drivers: Drivers.catalogue))
        let columns = list.prefix { $0 != "\r\n" }.split(separator: ",")
        for key in ["identifier", "unit", "group", "deadband-percent", "expression", "area", "address", "word-order", "bit", "length", "interval"] {
            #expect(columns.count { $0 == key } == 1, "\(key)")
        }
    }

    @Test("quotation marks, separators and line breaks inside of fields are kept")
    func quoting() throws {
        let text = "identifier,type,name,expression\r\na,LREAL,\"say \"\"one; two, three\"\"\",\"b +\n c\"\r\n"
        let point = try #require(read(text).points.first)
        #expect(point.name == "say \"one; two, three\"" && point.expression == "b +\n c")
        let again = try #require(PointList.export(try read(text), drivers: Drivers.catalogue))
        #expect(try read(again) == read(text))
    }

    @Test("a spreadsheet's semicolons, decimal commas, capitals and byte-order mark are understood")
    func spreadsheet() throws {
        let text = "\u{FEFF}identifier;type;area;address;scale;writable;enumeration\r\nx;INT;holding-register;5;0,1;TRUE;\r\ny;UINT;input-register;6;;;\"{ 0 = \"\"off\"\", 1 = \"\"on\"\" }\"\r\n"
        let points = try read(text).points
        #expect(points[0].scale == 0.1 && points[0].writable)
        #expect(points[1].enumeration == [EnumerationLabel(number: 0, text: "off"), EnumerationLabel(number: 1, text: "on")])
    }

    @Test("points of a group need its interval once")
    func intervals() throws {
        let text = "identifier,type,area,address,group,interval\na,INT,input-register,0,g,\nb,INT,input-register,1,g,5s\nc,INT,input-register,2,h,1m\nd,INT,input-register,3,,\n"
        let profile = try read(text)
        #expect(profile.groups.map(\.name) == ["g", "h", "default"])
        #expect(profile.groups.map(\.interval) == [.seconds(5), .seconds(60), .seconds(1)])
    }

    @Test("a mistake is reported with its line and column", arguments: [
        ("a,INT,input-register,70000,,,,,", "p.csv:2: column address: 70000 is out of range (0…65535)"),
        ("a,INT,input-register,x,,,,,", "p.csv:2: column address: must be an integer, not a string"),
        ("a,INT,input-register,\"1\nv2 = 3\",,,,,", "p.csv:2: column address: must be an integer, not a string"),
        ("a,INT,input-register,1,0,,,,", "p.csv:2: column scale: must not be 0"),
        ("a,INTT,input-register,1,,,,,", "p.csv:2: column type: \"INTT\" is not supported; did you mean \"INT\"?"),
        ("a,INT,input-register,1,,,TRUE,,", "p.csv:2: column writable: a point of area \"input-register\" cannot be written"),
        (",INT,input-register,1,,,,,", "p.csv:2: the line needs the key \"identifier\""),
        ("a,INT,,1,,,,,", "p.csv:2: [[point]] of a modbus-tcp device needs the key \"area\""),
        ("a,INT,coil,1,,,,,,,", "p.csv:2: there are 11 fields under 9 columns"),
        ("a,INT,input-register,1,,,,,5x", "p.csv:2: column interval: \"5x\" "),
        ("a,INT,input-register,1,,,,,5", "p.csv:2: column interval: "),
        ("a,INT,input-register,1,,,,,5s\nb,INT,input-register,2,,,,,6s", "p.csv:3: column interval: differs from that of an earlier point of group \"default\""),
        ("a,INT,input-register,1,,,,,\na,INT,input-register,2,,,,,", "p.csv:3: column identifier: point \"a\" is already there at line 2"),
        ("a,INT,input-register,\"1,,,,,", "p.csv:2: a quotation mark is never closed"),
        ("a,INT,input-register,\"1\"2,,,,,", "p.csv:2: there is text behind a closing quotation mark; inside of a field it is written twice"),
        ("a,IN\"T,input-register,1,,,,,", "p.csv:2: a quotation mark is inside of a field that does not begin with one"),
    ])
    func mistake(line: String, expected: String) {
        let found = mistakes(PointListTests.header + line + "\n")
        #expect(found.count == 1 && found[0].hasPrefix(expected), "\(found)")
    }

    @Test("a column that no key has is reported with the nearest key")
    func unknownColumn() {
        #expect(mistakes("identifier,adress\na,1\n") == ["p.csv:1: column adress: there is no such key; did you mean \"address\"?"])
        #expect(mistakes("identifier,type,type\n") == ["p.csv:1: column type: the column is there twice"])
        #expect(mistakes("") == ["p.csv: the file is empty; its first line has the names of the columns"])
        #expect(mistakes("identifier\u{0},type\n").count == 1)
    }

    @Test("bytes that are not UTF-8 are refused with the line")
    func notText() {
        let bytes = Array("identifier,type\na".utf8) + [0xFF]
        do throws(PointListErrors) {
            _ = try PointList.read(bytes, file: "p.csv", name: "x", protocol: "modbus-tcp", drivers: Drivers.catalogue)
            Issue.record("the bytes were taken")
        } catch {
            #expect(error.description == "p.csv:2: the text is not UTF-8; save the file as \"CSV UTF-8\"")
        }
    }

    @Test("a damaged list is read or refused with lines of it, and what is read comes back from its list")
    func fuzz() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let bytes = Array((PointListTests.header + "a,INT,holding-register,1,0.1,°C,true,,5s\nb,UINT,input-register,2,,,,\"{ 0 = \"\"x\"\" }\",\n").utf8)
        let pieces: [[UInt8]] = [",", ";", "\"", "\r\n", "\n", "\r", "{", "= 1", "\u{FEFF}", "é", "1e999", "\u{0}"].map { Array($0.utf8) }
        for _ in 0..<600 {
            var changed = bytes
            for _ in 0...random.below(3) {
                let at = random.below(changed.count)
                switch random.below(3) {
                case 0: changed.remove(at: at)
                case 1: changed.insert(contentsOf: pieces[random.below(pieces.count)], at: at)
                default: changed[at] = UInt8(truncatingIfNeeded: random.below(256))
                }
            }
            let lines = changed.count { $0 == 10 || $0 == 13 } + 1
            do throws(PointListErrors) {
                let profile = try PointList.read(changed, file: "f", name: "x", protocol: "modbus-tcp", drivers: Drivers.catalogue)
                let list = PointList.export(profile, drivers: Drivers.catalogue) ?? ""
                let again = try PointList.read(Array(list.utf8), file: "again", name: "x", protocol: "modbus-tcp", drivers: Drivers.catalogue)
                #expect(again == profile, "seed \(seed)")
            } catch {
                for error in error.errors where !(0...lines).contains(error.line) || error.message.isEmpty || error.file != "f" {
                    Issue.record("seed \(seed): \(error) in \(String(decoding: changed, as: UTF8.self))")
                }
            }
        }
    }
}

extension MartletConfiguration {
    fileprivate static var example: MartletConfiguration {
        var configuration = MartletConfiguration()
        var product = Product()
        product.key = "p"
        configuration.products = [product]
        return configuration
    }
}
