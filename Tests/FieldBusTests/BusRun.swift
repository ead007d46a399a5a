import Core
import FieldBus

/// A driver of any kind that runs while a test looks at what it delivers.
struct BusRun {
    let driver: any FieldBusDriver
    private let readings: AsyncStream<DeviceReading>
    private let events: AsyncStream<BusEvent>

    static func with(_ plan: any BusPlan, _ body: (BusRun) async throws -> Void) async throws {
        let driver = try plan.makeDriver()
        let (readings, reading) = AsyncStream.makeStream(of: DeviceReading.self, bufferingPolicy: .bufferingOldest(100_000))
        let (events, event) = AsyncStream.makeStream(of: BusEvent.self, bufferingPolicy: .bufferingOldest(100_000))
        let task = Task { await driver.run(deliver: { reading.yield($0) }, events: { event.yield($0) }) }
        do {
            try await body(BusRun(driver: driver, readings: readings, events: events))
        } catch {
            task.cancel()
            await task.value
            throw error
        }
        task.cancel()
        await task.value
    }

    /// The next sample of a point that `wanted` accepts.
    func sample(_ point: String, _ wanted: (Sample) -> Bool = { _ in true }) async -> Sample? {
        for await reading in readings {
            for sample in reading.samples where sample.point == point && wanted(sample) { return sample }
        }
        return nil
    }

    func event(_ wanted: (BusEvent) -> Bool) async -> BusEvent? {
        for await event in events where wanted(event) { return event }
        return nil
    }
}
