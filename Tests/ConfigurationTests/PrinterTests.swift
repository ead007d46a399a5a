import Configuration
import FieldBus
import Testing

@Suite("The printed file and the reference page")
struct PrinterTests {
    @Test("the default file is valid and holds the defaults")
    func defaultFile() throws {
        let text = ConfigurationPrinter.defaultFile(drivers: Drivers.catalogue)
        #expect(try MartletConfiguration.decode(text: text, file: "default", drivers: Drivers.catalogue) == MartletConfiguration())
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    @Test("the default file is valid with its examples in force, and they have every kind of table")
    func examples() throws {
        let examples = ConfigurationPrinter.defaultFile(drivers: Drivers.catalogue).split(separator: "\n").map { line in
            let line = line.drop { $0 == " " }
            return line.hasPrefix("#") && !line.hasPrefix("# ") ? line.dropFirst() : line
        }
        let text = examples.joined(separator: "\n")
        #expect(messages(text) == [])
        let configuration = try MartletConfiguration.decode(text: text, file: "default", drivers: Drivers.catalogue)
        #expect(!configuration.products.isEmpty && !configuration.buses.isEmpty && !configuration.devices.isEmpty)
        #expect(!configuration.rules.isEmpty && !configuration.bridges.isEmpty)
        for (path, keys) in declaredKeys() {
            for key in keys {
                #expect(examples.contains { $0.hasPrefix("\(key) = ") }, "\(key) of \(path) is not in the default file")
            }
        }
    }

    @Test("every table and key of the full example is in the reference page")
    func reference() {
        let page = ConfigurationPrinter.reference(drivers: Drivers.catalogue)
        for line in fullExample.split(separator: "\n") {
            let line = line.drop { $0 == " " }
            if line.hasPrefix("[") {
                #expect(page.contains("## `\(line)`"), "\(line) is missing")
            } else if let equals = line.firstRange(of: " = ") {
                #expect(page.contains("| `\(line[..<equals.lowerBound])` |"), "\(line) is missing")
            }
        }
        #expect(page.contains("| `port` | integer | not set | 1…65535 | TCP port. When not set: 1883"))
        #expect(page.contains("| `host` | host | required | name or IP address |"))
        #expect(page.contains("Not allowed: password must not be in this file"))
    }

    @Test("every key of the reference page is in the full example")
    func exampleIsFull() {
        for (path, keys) in declaredKeys() {
            for key in keys {
                #expect(
                    fullExample.split(separator: "\n").contains { $0.drop { $0 == " " }.hasPrefix("\(key) = ") },
                    "\(key) of \(path) is missing"
                )
            }
        }
    }

    /// The tables and keys of the reference page.
    private func declaredKeys() -> [(String, [String])] {
        var tables: [(String, [String])] = []
        for line in ConfigurationPrinter.reference(drivers: Drivers.catalogue).split(separator: "\n") {
            if line.hasPrefix("## ") {
                tables.append((String(line.dropFirst(3)), []))
            } else if line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") {
                tables[tables.count - 1].1.append(String(line[line.index(line.startIndex, offsetBy: 3)..<end]))
            }
        }
        #expect(tables.count >= 13)
        return tables
    }
}
