import Core
import FieldBus

/// A driver that runs while a test looks at what it delivers.
struct DriverRun {
    let driver: any FieldBusDriver
    let readings: AsyncStream<DeviceReading>
    let events: AsyncStream<BusEvent>

    static func with(_ bus: ModbusBus, _ body: (DriverRun) async throws -> Void) async throws {
        let driver = try bus.makeDriver()
        let (readings, reading) = AsyncStream.makeStream(of: DeviceReading.self, bufferingPolicy: .bufferingOldest(100_000))
        let (events, event) = AsyncStream.makeStream(of: BusEvent.self, bufferingPolicy: .bufferingOldest(100_000))
        let task = Task { await driver.run(deliver: { reading.yield($0) }, events: { event.yield($0) }) }
        do {
            try await body(DriverRun(driver: driver, readings: readings, events: events))
        } catch {
            task.cancel()
            await task.value
            throw error
        }
        task.cancel()
        await task.value
    }

    /// The next reading that `wanted` accepts.
    func reading(_ wanted: (DeviceReading) -> Bool = { _ in true }) async -> DeviceReading? {
        for await reading in readings where wanted(reading) { return reading }
        return nil
    }

    func event(_ wanted: (BusEvent) -> Bool) async -> BusEvent? {
        for await event in events where wanted(event) { return event }
        return nil
    }
}

func deviceName(_ key: String) -> DeviceIdentifier { DeviceIdentifier(productKey: "test", deviceKey: key) }

func uintPoint(_ identifier: String, _ address: Int, _ interval: Duration = .milliseconds(20)) -> ModbusPoint {
    var point = ModbusPoint(identifier: identifier, type: .uint, area: .holdingRegister, address: address)
    point.interval = interval
    return point
}

func tcpBus(_ port: Int, timeout: Duration = .seconds(2), _ devices: [ModbusDevice]) -> ModbusBus {
    var bus = ModbusBus(name: "test", transport: .tcp(host: "127.0.0.1", port: port), devices: devices)
    bus.responseTimeout = timeout
    bus.maxBackOff = .milliseconds(100)
    return bus
}

extension DeviceReading {
    subscript(point: String) -> Sample? { samples.first { $0.point == point } }
    var isGood: Bool { samples.allSatisfy { $0.quality.isGood } }
}
