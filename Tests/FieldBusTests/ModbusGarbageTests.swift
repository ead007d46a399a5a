import Core
import FieldBus
import Synchronization
import TestSupport
import Testing

/// Whatever a server answers, the driver goes on, and no wrong value is good.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusGarbageTests {
    static let quantity = 4

    /// Reads once from a server that answers each request with what `spoil` makes of the right answer.
    ///
    /// - Returns: the samples of the first reading.
    func read(
        timeout: Duration = .milliseconds(30), _ spoil: @escaping @Sendable (FakeServer.Request, [UInt8]) -> [FakeServer.Action]
    ) async throws -> [Sample] {
        let server = FakeServer { spoil($0, $0.values { UInt16(0x4100 + $0) }) }
        defer { server.stop() }
        var bus = tcpBus(server.port, timeout: timeout, [
            ModbusDevice(
                identifier: deviceName("a"), unitIdentifier: 1,
                points: (0..<ModbusGarbageTests.quantity).map { uintPoint("p\($0)", $0, .seconds(3600)) })
        ])
        bus.retries = 0
        var samples: [Sample] = []
        try await DriverRun.with(bus) { run in samples = await run.reading()?.samples ?? [] }
        #expect(samples.count == ModbusGarbageTests.quantity)
        return samples
    }

    func isTrue(_ sample: Sample) -> Bool {
        sample.quality.isGood && sample.value == .uint(0x4100 + (UInt64(sample.point.dropFirst()) ?? 99))
    }

    @Test("an answer cut off at any byte, with or without hanging up, makes the points bad")
    func truncated() async throws {
        let whole = 9 + 2 * ModbusGarbageTests.quantity
        for length in 0..<whole {
            for hangsUp in [false, true] {
                let samples = try await read { _, answer in
                    [.send(Array(answer[..<length]))] + (hangsUp ? [.close] : [.silence])
                }
                #expect(samples.allSatisfy { !$0.quality.isGood && $0.value == nil }, "cut at \(length)")
            }
        }
    }

    @Test("an answer that comes byte by byte is read")
    func dripped() async throws {
        let samples = try await read(timeout: .seconds(5)) { _, answer in answer.map { .send([$0]) } }
        #expect(samples.allSatisfy(isTrue))
    }

    @Test("with any bit of the header flipped the points are bad or right, never good and wrong")
    func flipped() async throws {
        // The nine bytes before the values. libmodbus 3.1.6 looks at neither protocol, length nor unit identifier, none of
        // which is needed to find the values.
        for bit in 0..<72 {
            let samples = try await read { _, answer in [.send(answer.flipping(bit: bit))] }
            for sample in samples { #expect(!sample.quality.isGood || isTrue(sample), "bit \(bit)") }
            // Transaction, function and byte count must be right.
            if bit < 16 || bit >= 56 { #expect(samples.allSatisfy { !$0.quality.isGood }, "bit \(bit)") }
        }
    }

    @Test("the answer to another transaction is not believed")
    func wrongTransaction() async throws {
        let samples = try await read { _, answer in [.send([answer[0], answer[1] &+ 1] + answer[2...])] }
        #expect(samples.allSatisfy { $0.quality == .bad(.badResponse) })
    }

    @Test("random bytes are never good values, and the device is good again afterwards")
    func random() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let random = Mutex(SeededRandom(seed: seed))
        let isRandom = Mutex(true)
        let server = FakeServer { request in
            guard isRandom.withLock({ $0 }) else { return [.send(request.values { UInt16(0x4100 + $0) })] }
            return random.withLock { random in
                var bytes = random.bytes(random.below(301))
                // Half of them get further: a header that fits.
                if Bool.random(using: &random) {
                    bytes = Array(request.bytes[..<4]) + bytes
                }
                return [.send(bytes)]
            }
        }
        defer { server.stop() }
        var bus = tcpBus(server.port, timeout: .milliseconds(20), [
            ModbusDevice(
                identifier: deviceName("a"), unitIdentifier: 1,
                points: (0..<ModbusGarbageTests.quantity).map { uintPoint("p\($0)", $0, .milliseconds(10)) })
        ])
        bus.retries = 0
        try await DriverRun.with(bus) { run in
            let bad = try #require(await run.reading())
            #expect(!bad.isGood, "seed \(seed)")
            while server.requests.count < 30, run.driver.status().requests < 1_000_000 {}
            isRandom.withLock { $0 = false }
            let good = try #require(await run.reading { $0.isGood })
            #expect(good.samples.allSatisfy(isTrue), "seed \(seed)")
        }
    }
}
