// Which driver's keys a table has, once the whole file is there.
//
//     [[bus]] protocol ──▶ driver ──▶ its keys of the bus
//     [[device]] bus   ──▶ driver ──▶ its keys of the device
//     [[product]]      ──▶ its profile's driver, else those of its devices' buses ──▶ keys of its points
//
// A product that no device on a bus has yet is decoded by the driver that knows most of its points' keys, so that a mistake
// in it is found all the same.

internal import Core

extension MartletConfiguration {
    mutating func decodeDriverKeys(_ catalogue: DriverCatalogue, _ findings: inout Findings) {
        var drivers: [String: any DriverKeys.Type] = [:]
        for index in buses.indices {
            guard let driver = catalogue.driver(buses[index].protocol, buses[index].source, &findings) else { continue }
            driver.decode(&buses[index], catalogue, &findings)
            drivers[buses[index].name] = driver
        }
        let busesByName = Dictionary(buses.map { ($0.name, $0) }) { first, _ in first }
        var users: [String: [any DriverKeys.Type]] = [:]
        for index in devices.indices {
            guard let name = devices[index].bus else {
                devices[index].refuseDriverKeys(catalogue, &findings)
                continue
            }
            guard let driver = drivers[name], let bus = busesByName[name] else { continue }
            driver.decode(&devices[index], on: bus, catalogue, &findings)
            let product = devices[index].product
            if let first = users[product]?.first, !first.sharesPoints(with: driver) {
                findings.report(
                    devices[index].source["bus"],
                    "product \(product.quotedForMessage) is on \(first.article) \(first.protocolName) bus already; on \(driver.article) \(driver.protocolName) bus its "
                        + "points need a product of their own")
            } else {
                users[product, default: []].append(driver)
            }
        }
        for index in products.indices {
            let user = users[products[index].key]?.first
            let profiled = products[index].profileProtocol.flatMap(catalogue.driver)
            if let user, let profiled, !user.sharesPoints(with: profiled) {
                findings.report(
                    products[index].source["profile"],
                    "the points of profile \((products[index].profile ?? "").quotedForMessage) are for \(profiled.protocolName), and a "
                        + "device of the product is on \(user.article) \(user.protocolName) bus")
            }
            products[index].decodeDriverKeys(profiled ?? user, catalogue, &findings)
        }
        checkPlaces(drivers, &findings)
    }

    /// Looks for devices of a bus that are in one place. Two of one product would give the same values twice; of two
    /// products each may be a part of the device.
    private func checkPlaces(_ drivers: [String: any DriverKeys.Type], _ findings: inout Findings) {
        var taken: [String: MartletConfiguration.Device] = [:]
        for device in devices {
            guard let bus = device.bus, let (position, text) = drivers[bus]?.place(of: device) else { continue }
            guard let other = taken["\(bus) \(text)"] else {
                taken["\(bus) \(text)"] = device
                continue
            }
            let name = "device \(other.identifier.description.quotedForMessage) at line \(other.source.position.line)"
            if other.product == device.product {
                findings.report(position, "\(text) of bus \(bus.quotedForMessage) is that of \(name) already")
            } else {
                findings.warn(
                    position,
                    "\(text) of bus \(bus.quotedForMessage) is that of \(name) too, which is right only if both are parts of one device")
            }
        }
    }
}

extension MartletConfiguration.Device {
    /// Keys that only a device on a bus may have.
    fileprivate mutating func refuseDriverKeys(_ catalogue: DriverCatalogue, _ findings: inout Findings) {
        for entry in driver.entries {
            if catalogue.drivers.contains(where: { $0.deviceKeys.contains(entry.key) }) {
                findings.report(entry.value.mark, "\(entry.key) has a meaning only when there is a bus")
            } else {
                findings.report(
                    entry.mark, Self.schema.unknown(entry.key, header: "[[device]]", guesses: catalogue.drivers.flatMap { $0.deviceKeys }))
            }
        }
        driver = DriverTable()
    }
}

extension DriverCatalogue {
    /// The driver that the key `protocol` of a table names; nil, with a finding, if there is none.
    func driver(
        _ protocolName: String, _ source: TableSource, _ findings: inout Findings
    ) -> (any DriverKeys.Type)? {
        guard source.isSound("protocol") else { return nil }
        if let driver = driver(protocolName) { return driver }
        let advice =
            nearest(to: protocolName, among: protocolNames).map { "; did you mean \"\($0)\"?" }
            ?? " (\(protocolNames.map { "\"\($0)\"" }.joined(separator: ", ")))"
        findings.report(source["protocol"], "protocol \(protocolName.quotedForMessage) is not supported\(advice)")
        return nil
    }
}

extension PointTables {
    /// What a profile brought has been decoded with it.
    mutating func decodeDriverKeys(
        _ driver: (any DriverKeys.Type)?, _ catalogue: DriverCatalogue, _ findings: inout Findings
    ) {
        let driver = driver ?? likelyDriver(catalogue)
        for index in points.indices where !points[index].driver.entries.isEmpty {
            guard let driver else {
                let guesses = catalogue.drivers.flatMap { $0.pointKeys }
                for entry in points[index].driver.entries {
                    findings.report(
                        entry.mark, MartletConfiguration.Product.Point.schema.unknown(entry.key, header: "[[point]]", guesses: guesses))
                }
                points[index].driver = DriverTable()
                continue
            }
            driver.decode(&points[index], catalogue, &findings)
        }
    }

    /// The driver that knows most of the points' keys; nil if none knows any.
    private func likelyDriver(_ catalogue: DriverCatalogue) -> (any DriverKeys.Type)? {
        let keys = points.flatMap { $0.driver.entries.map(\.key) }
        var best: (driver: any DriverKeys.Type, known: Int)?
        for candidate in catalogue.drivers {
            let names = candidate.pointKeys
            let known = keys.count { names.contains($0) }
            if known > best?.known ?? 0 { best = (candidate, known) }
        }
        return best?.driver
    }
}
