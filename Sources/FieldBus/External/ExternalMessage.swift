import Core
import Payload

// The lines between the box and a program: one JSON object each, told apart by "op".
//
//     program ──▶ box   {"op":"describe","name":"weather","version":"1.2","protocol":1,"polled":true}
//     box ──▶ program   {"op":"configure","protocol":1,"bus":"special","settings":{…},"devices":[{"device":"weather/roof",
//                        "address":"1","points":[{"point":"wind","address":"wind-speed","type":"REAL","writable":false,
//                        "interval":1000}]}]}
//     program ──▶ box   {"op":"configured"}   or with "error":"…"
//     box ──▶ program   {"op":"read","id":7,"device":"weather/roof","points":["wind"]}
//     program ──▶ box   {"op":"values","id":7,"device":"weather/roof","samples":[{"point":"wind","value":4.2}]}
//                       {"op":"failed","id":7,"reason":"timeout","detail":"no answer on /dev/ttyS3"}
//     box ──▶ program   {"op":"write","id":8,"device":"weather/roof","values":[{"point":"heater","value":true}]}
//     program ──▶ box   {"op":"written","id":8,"results":[{"point":"heater","ok":true}]}
//     program ──▶ box   {"op":"samples","device":"weather/roof","samples":[…]}          whenever it likes
//                       {"op":"log","message":"…"}
//     box ──▶ program   {"op":"stop"}   and the end of its input

/// What a program says.
enum ExternalMessage: Sendable {
    struct Description: Sendable, Equatable {
        var name: String
        var version: String
        /// Whether it is to be asked; otherwise it sends samples by itself.
        var isPolled: Bool
    }

    case describe(Description)
    /// With what is wrong, or nil.
    case configured(error: String?)
    case values(id: Int64, reading: DeviceReading)
    case failed(id: Int64, QualityReason, detail: String)
    case written(id: Int64, [String: WriteOutcome])
    case samples(DeviceReading)
    case log(String)

    /// The longest line: 1 MiB.
    static let maxLine = 1 << 20
    /// The version of the protocol.
    static let version: Int64 = 1
}

/// Why a line is none that the box understands.
struct ExternalMistake: Error, Equatable {
    var message: String
}

/// Reads lines; knows the devices and their points.
struct ExternalDecoder: Sendable {
    private let points: [DeviceIdentifier: [String: ExternalPoint]]
    private let names: [String: DeviceIdentifier]

    init(_ devices: [ExternalDevice]) {
        points = Dictionary(
            devices.map { device in
                (device.identifier, Dictionary(device.points.map { ($0.identifier, $0) }) { first, _ in first })
            }) { first, _ in first }
        names = Dictionary(devices.map { ($0.identifier.description, $0.identifier) }) { first, _ in first }
    }

    /// - Parameter wall: the source time of samples that have none.
    func decode(_ line: UnsafeRawBufferPointer, wall: Timestamp) throws(ExternalMistake) -> ExternalMessage {
        var scanner = JSONScanner()
        do throws(JSONError) {
            try scanner.scan(line)
        } catch {
            throw ExternalMistake(message: "a line that is not JSON: \(error)")
        }
        guard scanner[JSONScanner.root].kind == .object, let operation = scanner.text("op", of: JSONScanner.root) else {
            throw ExternalMistake(message: "a line without \"op\"")
        }
        let root = JSONScanner.root
        switch operation {
        case "describe":
            guard scanner.integer("protocol", of: root) == ExternalMessage.version else {
                throw ExternalMistake(message: "the program speaks another version of the protocol than \(ExternalMessage.version)")
            }
            return .describe(
                ExternalMessage.Description(
                    name: scanner.text("name", of: root) ?? "", version: scanner.text("version", of: root) ?? "",
                    isPolled: scanner.flag("polled", of: root) ?? true))
        case "configured": return .configured(error: scanner.text("error", of: root))
        case "values": return .values(id: try id(scanner), reading: try reading(scanner, wall))
        case "samples": return .samples(try reading(scanner, wall))
        case "failed":
            let reason = scanner.text("reason", of: root).flatMap { QualityReason(rawValue: $0) } ?? .deviceFailure
            return .failed(id: try id(scanner), reason, detail: scanner.text("detail", of: root) ?? reason.rawValue)
        case "written": return .written(id: try id(scanner), outcomes(scanner))
        case "log": return .log(String((scanner.text("message", of: root) ?? "").prefix(500)))
        default: throw ExternalMistake(message: "an \"op\" that nobody knows: \(operation.prefix(40))")
        }
    }

    /// As ``decode(_:wall:)``, for where a throw cannot go.
    func result(of line: UnsafeRawBufferPointer, wall: Timestamp) -> Result<ExternalMessage, ExternalMistake> {
        do throws(ExternalMistake) {
            return .success(try decode(line, wall: wall))
        } catch {
            return .failure(error)
        }
    }

    private func id(_ scanner: borrowing JSONScanner) throws(ExternalMistake) -> Int64 {
        guard let id = scanner.integer("id", of: JSONScanner.root) else { throw ExternalMistake(message: "an answer without \"id\"") }
        return id
    }

    private func reading(_ scanner: borrowing JSONScanner, _ wall: Timestamp) throws(ExternalMistake) -> DeviceReading {
        guard let name = scanner.text("device", of: JSONScanner.root), let device = names[name], let points = points[device] else {
            throw ExternalMistake(message: "samples of a device that is not configured")
        }
        guard let array = scanner.member("samples", of: JSONScanner.root), scanner[array].kind == .array else {
            throw ExternalMistake(message: "samples that are not an array")
        }
        var samples: [Sample] = []
        var node = scanner.first(in: array)
        while let element = node {
            if scanner[element].kind == .object, let sample = sample(scanner, element, points, wall) { samples.append(sample) }
            node = scanner.next(after: element, in: array)
        }
        return DeviceReading(device: device, samples: samples)
    }

    /// nil for a point that is not configured.
    private func sample(
        _ scanner: borrowing JSONScanner, _ element: Int, _ points: [String: ExternalPoint], _ wall: Timestamp
    ) -> Sample? {
        guard let name = scanner.text("point", of: element), let point = points[name] else { return nil }
        let time = scanner.member("time", of: element).flatMap { scanner.number($0) }.flatMap { Int64(exactly: $0.double.rounded()) }.map { Timestamp(milliseconds: $0) } ?? wall
        let reason = scanner.text("reason", of: element).flatMap { QualityReason(rawValue: $0) }
        func sample(_ value: Value?, _ quality: Quality) -> Sample {
            Sample(point: point.identifier, value: value, quality: quality, time: time)
        }
        let quality = scanner.text("quality", of: element) ?? "good"
        if quality == "bad" { return sample(nil, .bad(reason ?? .deviceFailure)) }
        guard let node = scanner.member("value", of: element), let raw = scanner.value(node, as: point.type), point.type.holds(raw)
        else { return sample(nil, .bad(.outOfRange)) }
        let (value, converted) = point.conversion.value(raw)
        // What the program says of the value and what becomes of it here: the worse of both.
        guard quality == "good" else { return sample(value, value == nil ? converted : .uncertain(reason ?? .deviceFailure)) }
        return sample(value, converted)
    }

    private func outcomes(_ scanner: borrowing JSONScanner) -> [String: WriteOutcome] {
        var outcomes: [String: WriteOutcome] = [:]
        guard let array = scanner.member("results", of: JSONScanner.root), scanner[array].kind == .array else { return [:] }
        var node = scanner.first(in: array)
        while let element = node {
            if scanner[element].kind == .object, let point = scanner.text("point", of: element) {
                let isDone = scanner.flag("ok", of: element) ?? false
                let reason = scanner.text("reason", of: element).flatMap { QualityReason(rawValue: $0) } ?? .deviceFailure
                outcomes[point] = isDone ? .written : .failed(reason)
            }
            node = scanner.next(after: element, in: array)
        }
        return outcomes
    }
}

extension JSONScanner {
    func text(_ name: StaticString, of object: Int) -> String? { member(name, of: object).flatMap { string($0) } }

    func flag(_ name: StaticString, of object: Int) -> Bool? {
        guard let node = member(name, of: object) else { return nil }
        switch self[node].kind {
        case .true: return true
        case .false: return false
        default: return nil
        }
    }
}

// MARK: What the box says

/// Writes lines, each with its end.
enum ExternalLine {
    static func configure(_ bus: ExternalBus) -> [UInt8] {
        line { writer in
            writer.name("op")
            writer.string("configure")
            writer.name("protocol")
            writer.integer(ExternalMessage.version)
            writer.name("bus")
            writer.string(bus.name)
            writer.name("settings")
            writer.beginObject()
            for setting in bus.settings {
                writer.name(setting.name)
                writer.value(setting.value)
            }
            writer.endObject()
            writer.name("devices")
            writer.beginArray()
            for device in bus.devices { write(device, &writer) }
            writer.endArray()
        }
    }

    private static func write(_ device: ExternalDevice, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("device")
        writer.string(device.identifier.description)
        writer.name("address")
        writer.value(device.address.map { .string($0) })
        writer.name("points")
        writer.beginArray()
        for point in device.points {
            writer.beginObject()
            writer.name("point")
            writer.string(point.identifier)
            writer.name("address")
            writer.string(point.address)
            writer.name("type")
            writer.string(point.type.rawValue)
            writer.name("writable")
            writer.bool(point.writable)
            writer.name("interval")
            writer.integer(point.interval.wholeMilliseconds)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    static func read(_ id: Int64, _ device: DeviceIdentifier, points: [String]) -> [UInt8] {
        line { writer in
            writer.request("read", id, device)
            writer.name("points")
            writer.beginArray()
            for point in points { writer.string(point) }
            writer.endArray()
        }
    }

    static func write(_ id: Int64, _ device: DeviceIdentifier, values: [PointValue]) -> [UInt8] {
        line { writer in
            writer.request("write", id, device)
            writer.name("values")
            writer.beginArray()
            for value in values {
                writer.beginObject()
                writer.name("point")
                writer.string(value.point)
                writer.name("value")
                writer.value(value.value)
                writer.endObject()
            }
            writer.endArray()
        }
    }

    static var stop: [UInt8] {
        line { writer in
            writer.name("op")
            writer.string("stop")
        }
    }

    private static func line(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var buffer: [UInt8] = []
        var writer = JSONWriter(taking: &buffer)
        writer.beginObject()
        write(&writer)
        writer.endObject()
        return writer.finish() + [UInt8(ascii: "\n")]
    }
}

extension JSONWriter {
    fileprivate mutating func request(_ operation: String, _ id: Int64, _ device: DeviceIdentifier) {
        name("op")
        string(operation)
        name("id")
        integer(id)
        name("device")
        string(device.description)
    }
}
