// A point of a product that its profile has too changes only what it names:
//
//     [[point]] of the profile      identifier = "voltage"  type = "UINT"  scale = 0.1  area = …  address = …
//     [[product.point]] of the file identifier = "voltage"  report = "on-change"
//     is decoded as                 identifier = "voltage"  report = "on-change"  type = "UINT"  scale = 0.1  area = …
//
// That is done with the values of the file before anything is decoded, so that all checks see the whole point. What is wrong
// with a value that came from the profile, in its new surroundings, is said at the header of the file's point.

enum ProfiledPoints {
    /// Completes the points of the products that have a profile. One without a type was meant to be the profile's: with an
    /// identifier that the profile does not have it is told, and taken out, so that nothing else is said of it.
    ///
    /// - Parameter file: profiles' paths are relative to its folder.
    static func complete(_ document: inout [TOMLEntry], file: String, _ findings: inout Findings) {
        guard let place = document.firstIndex(where: { $0.key == "product" }), case .array(var products) = document[place].value.content else {
            return
        }
        var profiles: [String: Profile] = [:]
        for index in products.indices {
            guard case .table(var entries) = products[index].content, case .string(let name)? = entries.value("profile")?.content,
                let points = entries.firstIndex(where: { $0.key == "point" })
            else { continue }
            let profile = profiles[name] ?? Profile(name, file: file)
            profiles[name] = profile
            profile.complete(&entries[points].value, &findings)
            products[index].content = .table(entries)
        }
        document[place].value.content = .array(products)
    }

    /// The points of a profile as they stand in its file. What is wrong with them is said when the profile is decoded.
    private struct Profile {
        private let name: String
        private var points: [String: [TOMLEntry]] = [:]
        /// In the order of the file.
        private var identifiers: [String] = []
        /// The group of points that name none.
        private var group: TOMLValue?
        private var isReadable = false

        init(_ name: String, file: String) {
            self.name = name
            guard let bytes = try? DeviceProfile.bytes(name, beside: file),
                let document = try? bytes.withUnsafeBufferPointer({ try TOMLValue.parse($0) }), case .table(let entries) = document.content
            else { return }
            isReadable = true
            for entries in entries.tables("point") {
                guard case .string(let identifier)? = entries.value("identifier")?.content, points[identifier] == nil else { continue }
                points[identifier] = entries
                identifiers.append(identifier)
            }
            group = entries.tables("group").first?.value("name")
        }

        func complete(_ value: inout TOMLValue, _ findings: inout Findings) {
            guard case .array(let own) = value.content else { return }
            value.content = .array(own.compactMap { complete($0, &findings) })
        }

        /// nil: to be left out.
        private func complete(_ point: TOMLValue, _ findings: inout Findings) -> TOMLValue? {
            guard case .table(let entries) = point.content else { return point }
            let reliesOnProfile = entries.value("type") == nil
            // Of a profile that cannot be read, a point that relies on it is no second mistake.
            if !isReadable { return reliesOnProfile ? nil : point }
            guard let value = entries.value("identifier"), case .string(let identifier) = value.content else { return point }
            if let inherited = points[identifier] {
                var point = point
                point.content = .table(entries + missing(entries, from: inherited, at: point.mark))
                return point
            }
            guard reliesOnProfile else { return point }
            findings.reportDangling(
                findings.position(value.mark), "point", identifier, known: identifiers, place: "in profile \(name.quotedForMessage)",
                advice: "A point of the product's own needs the key \"type\"")
            return nil
        }

        /// What a point has from the profile.
        private func missing(_ own: [TOMLEntry], from inherited: [TOMLEntry], at mark: TOMLMark) -> [TOMLEntry] {
            let common = Set(MartletConfiguration.Product.Point.schema.names)
            var inherited = inherited
            if let group, inherited.value("group") == nil, inherited.value("expression") == nil {
                inherited.append(TOMLEntry(key: "group", keyMark: mark, value: group))
            }
            var left = Set(own.map(\.key))
            if left.contains("expression") {
                // Calculated in place of being read.
                left.formUnion(["group", "scale", "offset", "bits", "writable"])
                inherited.removeAll { !common.contains($0.key) }
            } else if own.contains(where: { !common.contains($0.key) }) {
                left.insert("expression")
            }
            if left.contains("deadband") { left.insert("deadband-percent") }
            if left.contains("deadband-percent") { left.insert("deadband") }
            return inherited.filter { !left.contains($0.key) }.map { entry in
                TOMLEntry(key: entry.key, keyMark: mark, value: TOMLValue(content: entry.value.content, mark: mark), isInherited: true)
            }
        }
    }
}

extension [TOMLEntry] {
    fileprivate func value(_ key: String) -> TOMLValue? { first { $0.key == key }?.value }

    /// The tables of an array of tables.
    fileprivate func tables(_ key: String) -> [[TOMLEntry]] {
        guard case .array(let elements)? = value(key)?.content else { return [] }
        return elements.compactMap { if case .table(let entries) = $0.content { entries } else { nil } }
    }
}
