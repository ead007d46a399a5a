package import Configuration
public import Core

/// A bus that a program of its own serves: everything that ``ExternalProgram`` needs to know.
public struct ExternalBus: Sendable {
    /// Who is at the other end of the lines.
    enum Peer: Sendable {
        /// A program that is started, and started again when it ends.
        case command([String], workingDirectory: String?)
        /// Something in this process, for each connection: it is handed its end of a socket.
        case inProcess(@Sendable (Int32) -> Void)
    }

    public var name: String
    var peer: Peer
    var settings: [DriverSetting]
    var timeout: Duration
    var retries: Int
    var maxBackOff: Duration
    var devices: [ExternalDevice]
}

struct ExternalDevice: Sendable {
    var identifier: DeviceIdentifier
    var address: String?
    var points: [ExternalPoint]

    /// The points of each interval, the shortest first.
    var groups: [(interval: Duration, points: [ExternalPoint])] {
        Dictionary(grouping: points, by: \.interval).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

struct ExternalPoint: Sendable {
    var identifier: String
    var type: PointType
    var address: String
    var conversion: PointConversion
    var writable: Bool
    var interval: Duration

    /// What the program is to be given.
    func raw(of value: Value) throws(EncodeFailure) -> Value {
        try type.fitted(try conversion.raw(value), rounds: conversion.scales)
    }
}

extension ExternalBus: BusPlan {
    public var deviceIdentifiers: [DeviceIdentifier] { devices.map(\.identifier) }

    public var polls: [PlannedPoll] {
        devices.flatMap { device in
            device.groups.map { interval, points in
                PlannedPoll(
                    device: device.identifier, interval: interval,
                    points: points.map { PlannedPoint(identifier: $0.identifier, type: $0.type, conversion: $0.conversion) },
                    duration: .milliseconds(10))
            }
        }
    }

    public func makeDriver() throws(FieldBusError) -> any FieldBusDriver {
        let record = BusRecord(name: name, protocolName: External.protocolName, devices: deviceIdentifiers)
        return PolledBus(name: name, line: ExternalProgram(bus: self, record: record), record: record, maxBackOff: maxBackOff)
    }
}

/// A value that a program is handed as it stands in the file.
package struct DriverSetting: Sendable, Hashable {
    package var name: String
    package var value: Value

    package init(name: String, value: Value) {
        self.name = name
        self.value = value
    }
}

package extension ValueType where Value == [DriverSetting] {
    /// `{ line = "/dev/ttyS3", speed = 4 }`
    static var settings: Self {
        let limit = 100
        return Self(name: "table", allowed: "name = text, number, true or false; at most \(limit)") { value throws(Refusal) in
            guard case .table(let entries) = value.content else { throw .kind("a table such as { line = \"/dev/ttyS3\" }", value) }
            guard entries.count <= limit else { throw Refusal("has more than \(limit) values") }
            var settings: [DriverSetting] = []
            for entry in entries {
                let value: Core.Value
                switch entry.value.content {
                case .string(let text): value = .string(text)
                case .integer(let number): value = .int(number)
                case .float(let number) where number.isFinite: value = .lreal(number)
                case .boolean(let flag): value = .bool(flag)
                case .float, .table, .array, .dateTime:
                    throw Refusal("has \(entry.key.quotedForMessage), which must be text, a finite number, true or false")
                }
                settings.append(DriverSetting(name: entry.key, value: value))
            }
            return settings
        } write: { settings in
            let entries = settings.map { setting in
                let value =
                    switch setting.value {
                    case .string(let text): text.tomlLiteral
                    case .int(let number): "\(number)"
                    case .uint(let number): "\(number)"
                    case .real(let number): "\(number)"
                    case .lreal(let number): "\(number)"
                    case .bool(let flag): "\(flag)"
                    }
                return "\(setting.name.tomlLiteral) = \(value)"
            }
            return entries.isEmpty ? "{}" : "{ \(entries.joined(separator: ", ")) }"
        }
    }
}

package extension ValueType where Value == [String] {
    /// A program and its arguments.
    static var arguments: Self {
        let example = "an array such as [\"/usr/local/bin/driver\", \"--quiet\"]"
        return Self(name: "array of strings", allowed: "1…100") { value throws(Refusal) in
            guard case .array(let parts) = value.content else { throw .kind(example, value) }
            guard (1...100).contains(parts.count) else { throw Refusal("must have 1…100 elements") }
            var arguments: [String] = []
            for part in parts {
                guard case .string(let text) = part.content else { throw .kind(example, part) }
                guard !text.utf8.contains(0), arguments.isEmpty ? !text.isEmpty : true else {
                    throw Refusal("must name a program and must not contain U+0000")
                }
                arguments.append(text)
            }
            return arguments
        } write: {
            "[\($0.map(\.tomlLiteral).joined(separator: ", "))]"
        }
    }
}
