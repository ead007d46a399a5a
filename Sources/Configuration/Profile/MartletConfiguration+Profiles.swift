// What the profiles that the file names give to its products, before anything is checked that needs all points.

extension MartletConfiguration {
    mutating func addProfiles(_ drivers: DriverCatalogue, _ findings: inout Findings) {
        // Each is read and reported once, however many products have it. nil: with mistakes.
        var profiles: [String: DeviceProfile?] = [:]
        for index in products.indices {
            guard let name = products[index].profile, products[index].source.isSound("profile") else { continue }
            let profile: DeviceProfile?
            if let known = profiles[name] {
                profile = known
            } else {
                profile = self.profile(name, products[index].source["profile"], drivers, &findings)
                profiles[name] = .some(profile)
            }
            if let profile {
                products[index].add(profile)
                products[index].checkGroups(&findings)
            } else {
                products[index].source.refuse("profile")
            }
        }
    }

    private func profile(
        _ name: String, _ position: SourcePosition, _ drivers: DriverCatalogue, _ findings: inout Findings
    ) -> DeviceProfile? {
        let isBuiltIn = DeviceProfile.builtInNames.contains(name)
        guard isBuiltIn || name.contains("/") || name.hasSuffix(".toml") else {
            let names = DeviceProfile.builtInNames
            let hint = nearest(to: name, among: names).map { "did you mean \"\($0)\"?" } ?? "there are \(names.joined(separator: ", "))."
            findings.report(
                position,
                "there is no profile \(name.quotedForMessage); \(hint) The path of a file has a \"/\" or ends with \".toml\"")
            return nil
        }
        do throws(ConfigurationErrors) {
            return try DeviceProfile.load(isBuiltIn ? name : resolve(path: name), drivers: drivers)
        } catch {
            for error in error.errors {
                // What is wrong with the file as a whole is said where it is named.
                if error.line == 0 {
                    findings.report(position, "profile \(name.quotedForMessage): \(error.message)")
                } else {
                    findings.append([error])
                }
            }
            return nil
        }
    }
}

extension MartletConfiguration.Product {
    /// Puts the profile's groups and points before the product's own; those of the same name, which ``ProfiledPoints`` has
    /// completed, take their place.
    mutating func add(_ profile: DeviceProfile) {
        profileProtocol = profile.protocol
        groups = profile.groups.replaced(by: groups) { $0.name }
        // A point without a group means the profile's only one, whatever groups the product has besides.
        let inherited = profile.points.map { point in
            var point = point
            if point.isOnBus, point.group == nil { point.group = profile.groups.first?.name }
            return point
        }
        points = inherited.replaced(by: points) { $0.identifier }
    }
}

extension Array {
    /// Elements of `others` in the place of those of the same name, the rest of them behind.
    fileprivate func replaced(by others: [Element], name: (Element) -> String) -> [Element] {
        var result = self
        var places = Dictionary(enumerated().map { (name($0.element), $0.offset) }) { first, _ in first }
        for other in others {
            if let place = places[name(other)] {
                result[place] = other
            } else {
                places[name(other)] = result.count
                result.append(other)
            }
        }
        return result
    }
}
