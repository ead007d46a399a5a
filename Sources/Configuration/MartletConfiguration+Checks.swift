internal import Core

extension MartletConfiguration {
    /// What no table can say of itself: names that are unique, references that lead somewhere.
    func checkAcrossTables(_ findings: inout Findings) {
        findings.reportDuplicates(listeners, "name", what: "listener") { $0.name }
        findings.reportDuplicates(products, "key", what: "product") { $0.key }
        findings.reportDuplicates(buses, "name", what: "bus") { $0.name }
        findings.reportDuplicates(rules, "name", what: "rule") { $0.name }
        findings.reportDuplicates(bridges, "name", what: "bridge") { $0.name }
        findings.reportDuplicates(devices, "key", "product", what: "device") { $0.identifier.description }
        if broker.maxHops ?? 0 > 0, appliance.name == Appliance().name, appliance.source.isSound("name") {
            findings.report(
                broker.source["max-hops"],
                "max-hops needs a name in [appliance] that no other box has: a box drops what carries its name already")
        }
        checkListeners(&findings)
        checkBridgesAndCache(&findings)
        checkDevices(&findings)
        checkAccessRules(&findings)
    }

    private func checkAccessRules(_ findings: inout Findings) {
        guard listeners.allSatisfy({ $0.source.isSound("name") }) else { return }
        for rule in accessRules where rule.source.isSound("listener") {
            guard let name = rule.listener, !listeners.contains(where: { $0.name == name }) else { continue }
            findings.reportDangling(rule.source["listener"], "listener", name, known: listeners.map(\.name))
        }
    }

    private func checkDevices(_ findings: inout Findings) {
        // What of a product matters here: whether a bus can read anything of it.
        let readable = Dictionary(
            products.map { ($0.key, $0.points.contains(where: \.isOnBus) || !$0.source.isSound("profile")) }
        ) { first, _ in first }
        let buses = Set(buses.map(\.name))
        // With a name refused above, a reference to it is not a second mistake.
        let productsAreSound = products.allSatisfy { $0.source.isSound("key") }
        let busesAreSound = self.buses.allSatisfy { $0.source.isSound("name") }
        for device in devices {
            let isReadable = readable[device.product]
            if isReadable == nil, productsAreSound, device.source.isSound("product") {
                findings.reportDangling(
                    device.source["product"], "product", device.product, known: products.map(\.key)
                )
            }
            guard device.source.isSound("bus"), let name = device.bus else { continue }
            if isReadable == false {
                findings.report(
                    device.source["bus"],
                    "product \"\(device.product)\" has no point with a place on a bus, so nothing can be read there"
                )
            }
            if !buses.contains(name), busesAreSound {
                findings.reportDangling(device.source["bus"], "bus", name, known: self.buses.map(\.name))
            }
        }
    }
}

extension Findings {
    /// Reports each table whose name an earlier one has.
    ///
    /// - Parameter key: the key that holds the name, with `others` if several make it up.
    package mutating func reportDuplicates<Table: ConfigurationTable>(
        _ tables: [Table], _ key: String, _ others: String..., what: String, name: (Table) -> String
    ) {
        var lines: [String: Int] = [:]
        for table in tables where table.source.isSound([key] + others) {
            let name = name(table)
            if let line = lines[name] {
                let place = table.source.isSet(key) ? table.source[key] : table.source.position
                report(place, "\(what) \(name.quotedForMessage) is already there at line \(line)")
            } else {
                lines[name] = table.source.position.line
            }
        }
    }

    /// Reports a name that leads nowhere, with those that were probably meant.
    ///
    /// - Parameters:
    ///   - place: where there is none of the name; completes "there is no x "name"".
    ///   - advice: a sentence on what else may have been meant.
    package mutating func reportDangling(
        _ position: SourcePosition, _ what: String, _ name: String, known: [String], place: String = "", advice: String = ""
    ) {
        guard errors.count < Findings.limit else { return }
        let guesses = allNearest(to: name, among: known)
        let hint: String
        if known.isEmpty {
            hint = "; none is defined"
        } else if guesses.isEmpty {
            hint = " (\(known.prefix(10).joined(separator: ", "))\(known.count > 10 ? ", …" : ""))"
        } else {
            hint = "; did you mean \(guesses.prefix(3).map(\.quotedForMessage).joined(separator: " or "))?"
        }
        // A question mark ends its sentence.
        let rest = advice.isEmpty ? "" : guesses.isEmpty ? ". \(advice)" : " \(advice)"
        report(position, "there is no \(what) \(name.quotedForMessage)\(place.isEmpty ? "" : " \(place)")\(hint)\(rest)")
    }
}
