/// Prints what the declarations of the keys know: a file to start from, the reference page, and a configuration as a file.
public enum ConfigurationPrinter {
    /// `martlet config default`: a TOML file with every key at its default and its help as a comment. Tables that a box
    /// may do without are there as examples, commented out with a `#` and no space after it: the file is valid as it is,
    /// and it is valid with these `#` removed.
    public static func defaultFile(drivers: DriverCatalogue) -> String {
        var page = FilePrinter(drivers: drivers)
        page.comment("Configuration of Martlet. All values are the defaults; remove what you do not change.")
        page.comment("A # with no space after it is before an example: remove the # to use it.")
        page.comment("Durations: \"500ms\" \"1s\" \"5m\" \"2h\" \"7d\". Sizes: \"64KiB\" \"1MiB\" \"1GiB\", also KB, MB, GB.")
        let configuration = MartletConfiguration()
        for table in MartletConfiguration.schema.subtables {
            for block in table.blocks(configuration, "") { page.table(block) }
            for block in table.exampleBlocks("") + examples(of: drivers, table.name) { page.example(block) }
        }
        return page.text
    }

    /// A file that decodes to the same configuration: what differs from the defaults.
    public static func file(of configuration: MartletConfiguration) -> String {
        var page = FilePrinter()
        for table in MartletConfiguration.schema.subtables {
            for block in table.blocks(configuration, "") { page.plain(block) }
        }
        return page.text
    }

    /// A profile that decodes to the same.
    public static func file(of profile: DeviceProfile) -> String {
        var page = FilePrinter()
        page.plain(DeviceProfile.schema.block(profile, path: "", isRepeated: false))
        return page.text
    }

    /// `martlet config reference`: all tables and keys as Markdown.
    public static func reference(drivers: DriverCatalogue) -> String {
        var page = """
            # Configuration reference

            Every table and key of `martlet.toml`. A duration is a string of a whole number and `ms`, `s`, `m`, `h` or `d`;
            a size is one with `B`, `KiB`, `MiB`, `GiB`, `TiB` or `KB`, `MB`, `GB`, `TB`. Paths are relative to the folder of the
            file. Passwords are never in the file, but in files of their own that it names.

            """
        for table in MartletConfiguration.schema.subtables { append(table.reference(""), "", drivers, to: &page) }
        for driver in drivers.drivers {
            page += "\n# Protocol `\(driver.protocolName)`\n\n\(driver.help)\n"
            for (table, title) in driver.references {
                if table.keys.isEmpty {
                    page += "\n## `\(table.header)` \(title)\n\nNo keys but those of every `\(table.header)`.\n"
                } else {
                    append(table, title, drivers, to: &page)
                }
            }
        }
        page += "\n# Device profiles\n\nA profile is a TOML file that `profile` of `[[product]]` names. Its tables `[[group]]` and `[[point]]` "
        page += "have the keys of `[[product.group]]` and `[[product.point]]`; beside them are:\n\n"
        for key in DeviceProfile.schema.keys.map(\.description) {
            let range = key.range(drivers)
            let kind = [key.type, range.isEmpty ? nil : range, key.isRequired ? "required" : nil].compactMap(\.self).joined(separator: ", ")
            page += "* `\(key.name)` (\(kind)): \(key.help)\n"
        }
        return page
    }

    /// The tables of this name that show the drivers' keys.
    private static func examples(of drivers: DriverCatalogue, _ name: String) -> [TableBlock] {
        drivers.drivers.flatMap { driver in
            let examples = driver.examples
            switch name {
            case "bus": return examples.buses.map { MartletConfiguration.Bus.schema.block($0, path: name, isRepeated: true) }
            case "product":
                return examples.products.map { MartletConfiguration.Product.schema.block($0, path: name, isRepeated: true) }
            case "device":
                return examples.devices.map { MartletConfiguration.Device.schema.block($0, path: name, isRepeated: true) }
            default: return []
            }
        }
    }

    /// - Parameter title: what to say behind the header.
    private static func append(_ table: TableReference, _ title: String, _ drivers: DriverCatalogue, to page: inout String) {
        page += "\n## `\(table.header)`\(title.isEmpty ? "" : " \(title)")\n\n\(table.help)"
        if table.isRepeated, title.isEmpty { page += " Can be there several times, at most \(table.limit)." }
        page += "\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n"
        for key in table.keys {
            let initial = key.isRequired ? "required" : key.defaultText.map { "`\($0)`" } ?? "not set"
            let condition = key.condition.map { " Only when \($0)." } ?? ""
            let cells = ["`\(key.name)`", key.type, initial, key.range(drivers), key.help + condition]
            page += "| \(cells.map(escape).joined(separator: " | ")) |\n"
        }
        for key in table.refused { page += "\nNot allowed: \(key.advice).\n" }
        for child in table.children { append(child, "", drivers, to: &page) }
    }

    private static func escape(_ cell: String) -> String {
        cell.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
