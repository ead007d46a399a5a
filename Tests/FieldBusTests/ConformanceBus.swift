import Configuration
import Core
import Synchronization

@testable import FieldBus

/// A bus of each driver for the conformance suite.
enum ConformanceBus {
    /// What a driver's nature does not allow. Whoever has none of them keeps the whole contract.
    enum Trait {
        /// Values come when the device sends them: there is nothing to plan.
        case reportsByItself
        /// What is read is a part of this machine, which is always there.
        case isAlwaysThere
        /// The driver, or its simulator, takes no writes.
        case isOnlyRead
    }

    static func traits(of protocolName: String) -> Set<Trait> {
        switch protocolName {
        case "serial-text": [.reportsByItself, .isOnlyRead]
        case "gpio": [.isAlwaysThere]
        case "system": [.isOnlyRead]
        default: []
        }
    }

    /// nil for a driver that has none here.
    static func description(_ protocolName: String) throws -> BusDescription? {
        let text: String
        switch protocolName {
        case "modbus-tcp", "modbus-rtu-tcp": text = modbus(protocolName, "host = \"127.0.0.1\"\nport = 1")
        case "modbus-rtu": text = modbus(protocolName, "serial-port = \"/dev/null\"\nbaud-rate = 115200")
        case "external":
            text = file(
                protocolName, "command = [\"none\"]\ntimeout = \"200ms\"\nretries = 1\nmax-back-off = \"200ms\"",
                points: [
                    ("a", "INT", "address = \"a\""), ("b", "REAL", "address = \"b\"\nwritable = true"),
                    ("c", "BOOL", "address = \"c\"\nwritable = true"), ("d", "STRING", "address = \"d\""),
                    ("e", "UDINT", "address = \"e\"\nscale = 0.5\nwritable = true"),
                ])
        case "serial-text":
            text = file(
                protocolName, "serial-port = \"/dev/null\"",
                points: [
                    ("a", "INT", "field = \"column:1\""), ("b", "REAL", "field = \"column:2\""), ("c", "BOOL", "field = \"column:3\""),
                    ("d", "STRING", "field = \"column:4\""), ("e", "ULINT", "field = \"column:5\""),
                ])
        case "gpio":
            text = file(
                protocolName, "",
                points: [
                    ("a", "BOOL", "line = \"a-DEVICE\""), ("b", "BOOL", "line = \"b-DEVICE\"\nactive-low = true\nbias = \"pull-up\""),
                    ("c", "BOOL", "line = \"c-DEVICE\"\nuse = \"output\"\nwritable = true"),
                ])
        case "system":
            text = file(
                protocolName, "",
                points: [
                    ("a", "INT", "source = \"file:/sys/DEVICE/a\""), ("b", "REAL", "source = \"file:/sys/DEVICE/b\""),
                    ("c", "STRING", "source = \"file:/sys/DEVICE/c\""), ("d", "LREAL", "source = \"file:/sys/DEVICE/d\""),
                    ("e", "UDINT", "source = \"file:/sys/DEVICE/e\"\nscale = 0.5"),
                ])
        default: return nil
        }
        let configuration = try MartletConfiguration.decode(text: text, file: "conformance", drivers: Drivers.catalogue)
        return BusDescription(
            bus: configuration.buses[0],
            devices: configuration.devices.compactMap { device in
                configuration.product(key: device.product).map { BusDescription.Device(device: device, product: $0) }
            })
    }

    /// One that a point of the type can hold, and that differs with the number.
    static func value(of point: MartletConfiguration.Product.Point, _ number: Int) -> Value {
        if point.scale != nil { return .lreal(Double(number) * 10) }
        switch point.type {
        case .bool: return .bool(true)
        case .int, .dint, .lint: return .int(Int64(-number - 1))
        case .uint, .udint, .ulint: return .uint(UInt64(number + 1))
        case .real: return .real(Float(number) + 0.5)
        case .lreal: return .lreal(Double(number) + 0.25)
        case .string: return .string("text \(number)")
        }
    }

    private static func modbus(_ protocolName: String, _ line: String) -> String {
        file(
            protocolName, line + "\ntimeout = \"200ms\"\nretries = 1\nmax-back-off = \"200ms\"",
            points: [
                ("a", "INT", "area = \"input-register\"\naddress = 0"),
                ("b", "REAL", "area = \"holding-register\"\naddress = 10\nword-order = \"cdab\"\nwritable = true"),
                ("c", "BOOL", "area = \"coil\"\naddress = 3\nwritable = true"),
                ("d", "STRING", "area = \"holding-register\"\naddress = 20\nlength = 10"),
                ("e", "UDINT", "area = \"holding-register\"\naddress = 30\nscale = 0.5\nwritable = true"),
                ("f", "BOOL", "area = \"holding-register\"\naddress = 40\nbit = 5\nwritable = true"),
            ], deviceKeys: ["unit-identifier = 1", "unit-identifier = 2"])
    }

    /// Two devices, each of a product of its own with the same points; `DEVICE` in their keys is the device.
    private static func file(
        _ protocolName: String, _ busKeys: String, points: [(identifier: String, type: String, keys: String)],
        deviceKeys: [String] = ["", ""]
    ) -> String {
        var text = "[[bus]]\nname = \"line\"\nprotocol = \"\(protocolName)\"\n\(busKeys)\n"
        for (number, keys) in deviceKeys.enumerated() {
            text += "[[product]]\nkey = \"p\(number)\"\n[[product.group]]\nname = \"g\"\ninterval = \"50ms\"\n"
            for point in points {
                text += "[[product.point]]\nidentifier = \"\(point.identifier)\"\ntype = \"\(point.type)\"\n"
                text += point.keys.replacing("DEVICE", with: "d\(number)") + "\n"
            }
            text += "[[device]]\nproduct = \"p\(number)\"\nkey = \"d\(number)\"\nbus = \"line\"\n\(keys)\n"
        }
        return text
    }
}

/// A driver that runs, with the last sample of each point.
final class Run: Sendable {
    let driver: any FieldBusDriver
    private let samples = Mutex<[DeviceIdentifier: [String: Sample]]>([:])
    /// How many samples of a device were not good.
    private let doubtful = Mutex<[DeviceIdentifier: Int]>([:])

    init(driver: any FieldBusDriver) { self.driver = driver }

    func take(_ reading: DeviceReading) {
        samples.withLock { samples in
            for sample in reading.samples { samples[reading.device, default: [:]][sample.point] = sample }
        }
        let count = reading.samples.count { !$0.quality.isGood }
        if count > 0 { doubtful.withLock { $0[reading.device, default: 0] += count } }
    }

    func take(_ event: BusEvent) {}

    func doubtfulSamples(of device: DeviceIdentifier) -> Int { doubtful.withLock { $0[device] ?? 0 } }

    /// The last sample of a point as soon as it is a wanted one; nil after ten seconds.
    func sample(of device: DeviceIdentifier, _ point: String, _ wanted: (Sample) -> Bool) async -> Sample? {
        let deadline = SystemClock.monotonic() + .seconds(10)
        while SystemClock.monotonic() < deadline {
            if let sample = samples.withLock({ $0[device]?[point] }), wanted(sample) { return sample }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }

    /// Whether a condition holds within ten seconds.
    func eventually(_ condition: () -> Bool) async -> Bool {
        let deadline = SystemClock.monotonic() + .seconds(10)
        while SystemClock.monotonic() < deadline {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}
