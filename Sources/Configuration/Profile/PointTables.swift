/// A table with points and with how often they are read: a product, or the profile of one.
package protocol PointTables: ConfigurationTable {
    var groups: [MartletConfiguration.Product.Group] { get set }
    var points: [MartletConfiguration.Product.Point] { get set }

    /// How messages name a group.
    static var groupHeader: String { get }
}

extension PointTables {
    /// The tables that the schema of each has.
    static var pointTables: [Subtable<Self>] {
        [Subtable("group", \.groups, limit: 64), Subtable("point", \.points, limit: 10_000)]
    }

    /// The polling group of a point: the one it names, else the only one. nil for a point that is not on a bus.
    package func group(of point: MartletConfiguration.Product.Point) -> MartletConfiguration.Product.Group? {
        guard point.isOnBus else { return nil }
        guard let name = point.group else { return groups.first }
        return groups.first { $0.name == name }
    }

    /// Looks for names that are there twice.
    func checkNames(_ findings: inout Findings) {
        findings.reportDuplicates(groups, "name", what: "group") { $0.name }
        findings.reportDuplicates(points, "identifier", what: "point") { $0.identifier }
    }

    /// Looks for points that nobody knows how often to read.
    func checkGroups(_ findings: inout Findings) {
        let names = Set(groups.map(\.name))
        let groupsAreSound = groups.allSatisfy { $0.source.isSound("name") }
        for point in points where point.isOnBus && groupsAreSound && point.source.isSound("group") {
            if let name = point.group {
                if !names.contains(name) {
                    findings.reportDangling(point.source["group"], "group", name, known: groups.map(\.name))
                }
            } else if groups.count != 1 {
                findings.report(
                    point.source.position,
                    groups.isEmpty
                        ? "point \"\(point.identifier)\" is on a bus and needs a \(Self.groupHeader) that says how often it is read"
                        : "point \"\(point.identifier)\" needs the key \"group\" as there are \(groups.count) groups")
            }
        }
    }
}
