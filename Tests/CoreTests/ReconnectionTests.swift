import Core
import Testing

@Suite("Reconnection")
struct ReconnectionTests {
    private static let start = MonotonicTime(nanoseconds: 0)

    @Test("waits double from 1 s to 2 min, shortened by half at most", arguments: 1...20 as ClosedRange<UInt64>)
    func waits(seed: UInt64) throws {
        var reconnection = Reconnection(seed: seed)
        var now = ReconnectionTests.start
        for attempt in 0..<12 {
            #expect(reconnection.shouldConnect(now: now) == true, "seed \(seed)")
            #expect(reconnection.shouldConnect(now: now) == false, "seed \(seed)")
            reconnection.failed(now: now)
            guard case .waiting(let until) = reconnection.state else {
                Issue.record("seed \(seed): no wait")
                return
            }
            let longest = Duration.seconds(min(120, 1 << attempt))
            #expect(until - now <= longest && until - now >= max(longest / 2, .seconds(1)), "seed \(seed)")
            #expect(reconnection.shouldConnect(now: MonotonicTime(nanoseconds: until.nanoseconds - 1)) == false, "seed \(seed)")
            now = until
        }
    }

    @Test("two boxes do not wait equally long")
    func jitter() {
        let waits = (1...10 as ClosedRange<UInt64>).map { seed in
            var reconnection = Reconnection(seed: seed)
            for _ in 0..<6 {
                _ = reconnection.shouldConnect(now: .distantFuture)
                reconnection.failed(now: ReconnectionTests.start)
            }
            return "\(reconnection.state)"
        }
        #expect(Set(waits).count > 5)
    }

    @Test("only a connection that lasted starts the waits anew")
    func proven() {
        var reconnection = Reconnection(seed: 1)
        var now = ReconnectionTests.start
        for lasted in [1, 1, 60] as [Int64] {
            _ = reconnection.shouldConnect(now: .distantFuture)
            reconnection.connected(now: now)
            now += .seconds(lasted)
            reconnection.failed(now: now)
        }
        #expect(reconnection.failures == 1)
    }
}
