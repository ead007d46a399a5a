/// One mistake in a list of points.
public struct PointListError: Error, Sendable, Equatable, CustomStringConvertible {
    public var file: String
    /// From 1; 0 when the file as a whole is meant.
    public var line: Int
    /// The name of the column; nil when the line as a whole is meant.
    public var column: String?
    public var message: String

    /// `points.csv:3: column address: 70000 is out of range (0…65535)`
    public var description: String {
        let place = line == 0 ? file : "\(file):\(line)"
        return column.map { "\(place): column \($0): \(message)" } ?? "\(place): \(message)"
    }
}

/// Every mistake in a list of points, in its order; never empty.
public struct PointListErrors: Error, Sendable, Equatable, CustomStringConvertible {
    public var errors: [PointListError]

    /// One line for each error.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}

extension PointList {
    /// Reads a list of points and makes a profile of it.
    ///
    /// - Parameters:
    ///   - bytes: commas or semicolons between the fields, with or without a byte-order mark.
    ///   - file: the name for messages.
    ///   - protocolName: whose keys the points have.
    /// - Throws: every mistake in the list.
    public static func read(
        _ bytes: [UInt8], file: String, name: String, protocol protocolName: String, drivers: DriverCatalogue
    ) throws(PointListErrors) -> DeviceProfile {
        func failed(_ line: Int, _ message: String) -> PointListErrors {
            PointListErrors(errors: [PointListError(file: file, line: line, column: nil, message: message)])
        }
        guard bytes.count <= ConfigurationFile.maxSize else { throw failed(0, "the file is larger than \(ConfigurationFile.maxSize >> 20) MiB") }
        guard let driver = drivers.driver(protocolName) else {
            throw failed(0, "protocol \(protocolName.quotedForMessage) is not supported (\(drivers.protocolNames.joined(separator: ", ")))")
        }
        let parsed: (records: [CSVRecord], separator: UInt8)
        do throws(CSVSyntaxError) {
            parsed = try CSV.parse(bytes)
        } catch {
            throw failed(error.line, error.message)
        }
        var reader = PointListReader(file: file, driver: driver, catalogue: drivers, decimalComma: parsed.separator == CSV.semicolon)
        var profile = DeviceProfile()
        profile.name = name
        profile.protocol = protocolName
        reader.read(parsed.records, into: &profile)
        guard reader.errors.isEmpty else { throw PointListErrors(errors: reader.errors) }
        return profile
    }
}

/// Makes the points of records. Positions are a line and, in the place of a column, the number of a field.
private struct PointListReader {
    let file: String
    let driver: any DriverKeys.Type
    let catalogue: DriverCatalogue
    let decimalComma: Bool
    private let columns: PointColumns
    private var header: [String] = []
    private var findings: Findings

    init(file: String, driver: any DriverKeys.Type, catalogue: DriverCatalogue, decimalComma: Bool) {
        self.file = file
        self.driver = driver
        self.catalogue = catalogue
        self.decimalComma = decimalComma
        columns = PointColumns(driver)
        findings = Findings(file: file)
    }

    /// What was found, with the names of columns.
    var errors: [PointListError] {
        ConfigurationErrors(findings.errors).errors.map { error in
            guard error.column > 0, error.column <= header.count else {
                return PointListError(file: file, line: error.line, column: nil, message: error.message)
            }
            let column = header[error.column - 1]
            let message = error.message.hasPrefix("\(column) ") ? String(error.message.dropFirst(column.count + 1)) : error.message
            return PointListError(file: file, line: error.line, column: column, message: message)
        }
    }

    mutating func read(_ records: [CSVRecord], into profile: inout DeviceProfile) {
        guard let first = records.first else {
            findings.report(TOMLMark(line: 0, column: 0), "the file is empty; its first line has the names of the columns")
            return
        }
        readHeader(first)
        guard findings.errors.isEmpty else { return }
        guard records.count <= 10_001 else {
            findings.report(TOMLMark(line: UInt32(clamping: records[10_001].line), column: 0), "there are more than 10000 points")
            return
        }
        for record in records.dropFirst() { readPoint(record, into: &profile) }
        profile.checkNames(&findings)
        profile.checkGroups(&findings)
    }

    private mutating func readHeader(_ record: CSVRecord) {
        header = record.fields.map { String($0.trimmed) }
        let known = columns.names
        for (index, name) in header.enumerated() where !name.isEmpty {
            let mark = TOMLMark(line: UInt32(clamping: record.line), column: UInt32(index + 1))
            if !known.contains(name) {
                let hint = nearest(to: name, among: known).map { "did you mean \"\($0)\"?" } ?? "known are \(known.joined(separator: ", "))"
                findings.report(mark, "there is no such key; \(hint)")
            } else if header[..<index].contains(name) {
                findings.report(mark, "the column is there twice")
            }
        }
    }

    private mutating func readPoint(_ record: CSVRecord, into profile: inout DeviceProfile) {
        let line = UInt32(clamping: record.line)
        let row = TOMLMark(line: line, column: 0)
        guard record.fields.count <= header.count else {
            findings.report(row, "there are \(record.fields.count) fields under \(header.count) columns")
            return
        }
        var pointEntries: [TOMLEntry] = []
        var groupEntries: [TOMLEntry] = []
        for (index, field) in record.fields.enumerated() where !field.trimmed.isEmpty {
            let mark = TOMLMark(line: line, column: UInt32(index + 1))
            let name = header[index]
            if let column = columns.point.first(where: { $0.name == name }) {
                pointEntries.append(entry(column, field, mark))
            } else if let column = columns.group.first(where: { $0.name == name }) {
                groupEntries.append(entry(column, field, mark))
            } else {
                findings.report(row, "field \(index + 1) is under a column without a name")
            }
        }
        var point = PointColumns.Point.schema.decode(pointEntries, at: row, header: "the line", &findings)
        if !point.driver.isEmpty {
            driver.decode(&point, catalogue, &findings)
            if point.group == nil { point.group = "default" }
            addGroup(of: point, groupEntries, row, to: &profile)
        } else if let entry = groupEntries.first {
            findings.report(entry.mark, "\(entry.key) has a meaning only for a point that a bus reads")
        }
        profile.points.append(point)
    }

    private func entry(_ column: PointColumn, _ field: String, _ mark: TOMLMark) -> TOMLEntry {
        TOMLEntry(key: column.name, keyMark: mark, value: column.value(field, at: mark, decimalComma: decimalComma))
    }

    /// The first point of a group that has the group's keys decides.
    private mutating func addGroup(
        of point: PointColumns.Point, _ entries: [TOMLEntry], _ row: TOMLMark, to profile: inout DeviceProfile
    ) {
        guard point.source.isSound("group"), let name = point.group else { return }
        let named = TOMLEntry(key: "name", keyMark: row, value: TOMLValue(content: .string(name), mark: row))
        let group = PointColumns.Group.schema.decode([named] + entries, at: row, header: "the line", &findings)
        guard let index = profile.groups.firstIndex(where: { $0.name == name }) else {
            if profile.groups.count < 64 { profile.groups.append(group) } else { findings.report(row, "there are more than 64 groups") }
            return
        }
        guard let entry = entries.first else { return }
        if !profile.groups[index].source.isSet(entry.key) {
            profile.groups[index] = group
        } else if profile.groups[index] != group {
            findings.report(entry.mark, "\(entry.key) differs from that of an earlier point of group \(name.quotedForMessage)")
        }
    }
}

extension String {
    fileprivate var trimmed: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
