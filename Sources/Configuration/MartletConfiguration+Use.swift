internal import Core

// What a file has and nothing uses, and what cannot come to anything: no mistakes that would keep a box from starting.

extension MartletConfiguration {
    func checkUse(_ drivers: DriverCatalogue, _ findings: inout Findings) {
        guard products.allSatisfy({ $0.source.isSound("key") }), devices.allSatisfy({ $0.source.isSound("product", "bus") }) else { return }
        let buses = Dictionary(buses.map { ($0.name, $0.protocol) }) { first, _ in first }
        let users = Dictionary(grouping: devices, by: \.product)
        for product in products {
            guard product.source.isSound("profile") else { continue }
            let users = users[product.key] ?? []
            // Devices that post by themselves need no table.
            if users.isEmpty, product.points.contains(where: \.isOnBus) {
                findings.warn(product.source["key"], "no [[device]] is of product \(product.key.quotedForMessage)")
            }
            product.checkGroupsAreUsed(&findings)
            guard let name = users.lazy.compactMap(\.bus).first, let driver = buses[name].flatMap(drivers.driver) else { continue }
            // A device without a bus may post what the bus has no place for.
            if users.allSatisfy({ $0.bus != nil }) { product.checkPlaces(bus: name, &findings) }
            if driver.readsByInterval { product.checkStaleness(&findings) }
        }
    }
}

extension MartletConfiguration.Product {
    /// Groups of a profile are the profile's.
    fileprivate func checkGroupsAreUsed(_ findings: inout Findings) {
        let used = Set(points.compactMap { group(of: $0)?.name })
        for group in groups where group.source.position.file == source.position.file && group.source.isSound("name") {
            if used.contains(group.name) { continue }
            findings.warn(group.source["name"], "no point of the product is in group \(group.name.quotedForMessage)")
        }
    }

    fileprivate func checkPlaces(bus: String, _ findings: inout Findings) {
        for point in points where !point.isOnBus && point.expression == nil && point.source.isSound("expression", "identifier") {
            findings.warn(
                point.source["identifier"],
                "point \(point.identifier.quotedForMessage) has no place on bus \(bus.quotedForMessage) and no expression, so the box never "
                    + "has a value of it")
        }
    }

    fileprivate func checkStaleness(_ findings: inout Findings) {
        for point in points where point.source.isSound("stale-after", "group") {
            guard let limit = point.staleAfter, let group = group(of: point), group.source.isSound("interval") else { continue }
            if limit >= group.interval { continue }
            findings.warn(
                point.source["stale-after"],
                "stale-after is shorter than the interval of group \(group.name.quotedForMessage), so the value is stale before it is read again")
        }
    }
}
