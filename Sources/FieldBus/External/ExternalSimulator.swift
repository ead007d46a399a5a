import Configuration
package import Core
import Glibc
import Payload
import Synchronization

/// A program of an external bus, in this process: it answers for the devices of the description with values that can be set.
package final class ExternalSimulator: BusSimulator {
    private struct State {
        var values: [DeviceIdentifier: [String: Value]] = [:]
        var silent: Set<DeviceIdentifier> = []
    }

    package let bus: BusDescription
    private let shared: Shared

    /// What the connections' threads share with the simulator.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let devices: [ExternalDevice]

        init(_ devices: [ExternalDevice]) { self.devices = devices }

        func point(_ name: String, of device: DeviceIdentifier) -> ExternalPoint? {
            devices.first { $0.identifier == device }?.points.first { $0.identifier == name }
        }
    }

    init(_ description: BusDescription) {
        bus = description
        shared = Shared(External.externalBus(description).devices)
        shared.state.withLock { state in
            for device in shared.devices {
                for point in device.points { state.values[device.identifier, default: [:]][point.identifier] = point.type.zero }
            }
        }
    }

    package func plan() -> any BusPlan {
        var plan = External.externalBus(bus)
        let shared = shared
        plan.peer = .inProcess { socket in
            DetachedThread.start(name: "external-sim") {
                ExternalSimulator.serve(socket, shared)
                close(socket)
            }
        }
        return plan
    }

    package func set(_ value: Value, point: String, of device: DeviceIdentifier) {
        guard let known = shared.point(point, of: device), let raw = try? known.raw(of: value) else { return }
        shared.state.withLock { $0.values[device, default: [:]][point] = raw }
    }

    package func value(point: String, of device: DeviceIdentifier) -> Value? {
        guard let known = shared.point(point, of: device), let raw = shared.state.withLock({ $0.values[device]?[point] }) else {
            return nil
        }
        return known.conversion.value(raw).value
    }

    package func setSilent(_ isSilent: Bool, device: DeviceIdentifier) {
        shared.state.withLock {
            if isSilent { $0.silent.insert(device) } else { $0.silent.remove(device) }
        }
    }

    package func stop() {}

    // MARK: The program's side

    private static func serve(_ socket: Int32, _ shared: Shared) {
        say(socket, #"{"op":"describe","name":"simulator","version":"1","protocol":1,"polled":true}"#)
        var lines = LineBuffer()
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0, lines.append(chunk[..<count]) else { return }
            while let line = lines.next() {
                guard let answer = answer(line, shared) else { continue }
                say(socket, answer)
            }
        }
    }

    private static func say(_ socket: Int32, _ text: String) {
        let line = Array((text + "\n").utf8)
        _ = send(socket, line, line.count, Int32(MSG_NOSIGNAL))
    }

    private static func answer(_ line: [UInt8], _ shared: Shared) -> String? {
        line.withUnsafeBytes { line in
            var scanner = JSONScanner()
            let root = JSONScanner.root
            guard (try? scanner.scan(line)) != nil, let operation = scanner.text("op", of: root) else { return nil }
            if operation == "configure" { return #"{"op":"configured"}"# }
            guard let id = scanner.integer("id", of: root), let name = scanner.text("device", of: root),
                let device = shared.devices.first(where: { $0.identifier.description == name })
            else { return nil }
            if shared.state.withLock({ $0.silent.contains(device.identifier) }) { return nil }
            return operation == "read" ? read(id, device, scanner, shared) : write(id, device, scanner, shared)
        }
    }

    private static func read(_ id: Int64, _ device: ExternalDevice, _ scanner: borrowing JSONScanner, _ shared: Shared) -> String {
        var buffer: [UInt8] = []
        var writer = JSONWriter(taking: &buffer)
        writer.beginObject()
        writer.name("op")
        writer.string("values")
        writer.name("id")
        writer.integer(id)
        writer.name("device")
        writer.string(device.identifier.description)
        writer.name("samples")
        writer.beginArray()
        let values = shared.state.withLock { $0.values[device.identifier] ?? [:] }
        var node = scanner.member("points", of: JSONScanner.root).flatMap { scanner.first(in: $0) }
        while let element = node, let array = scanner.member("points", of: JSONScanner.root) {
            if let name = scanner.string(element), let value = values[name] {
                writer.beginObject()
                writer.name("point")
                writer.string(name)
                writer.name("value")
                writer.value(value)
                writer.endObject()
            }
            node = scanner.next(after: element, in: array)
        }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    private static func write(_ id: Int64, _ device: ExternalDevice, _ scanner: borrowing JSONScanner, _ shared: Shared) -> String {
        var results: [String] = []
        guard let array = scanner.member("values", of: JSONScanner.root) else { return "" }
        var node = scanner.first(in: array)
        while let element = node {
            if let name = scanner.text("point", of: element), let point = device.points.first(where: { $0.identifier == name }),
                let place = scanner.member("value", of: element), let value = scanner.value(place, as: point.type)
            {
                shared.state.withLock { $0.values[device.identifier, default: [:]][name] = value }
                results.append("{\"point\":\"\(name)\",\"ok\":true}")
            }
            node = scanner.next(after: element, in: array)
        }
        return "{\"op\":\"written\",\"id\":\(id),\"results\":[\(results.joined(separator: ","))]}"
    }
}
