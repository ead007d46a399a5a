import Core
import Testing

@Suite("Configured waits")
struct ConfiguredWaitTests {
    @Test("the waits between connections keep within what is configured", arguments: 0..<20 as Range<UInt64>)
    func bounds(seed: UInt64) throws {
        var reconnection = Reconnection(seed: seed, shortestWait: .seconds(5), longestWait: .seconds(30))
        var now = MonotonicTime(nanoseconds: 0)
        var longest = Duration.zero
        for attempt in 0..<40 {
            let isDue = reconnection.shouldConnect(now: now)
            #expect(isDue)
            reconnection.failed(now: now)
            guard case .waiting(let until) = reconnection.state else {
                Issue.record("attempt \(attempt) does not wait")
                return
            }
            let wait = until - now
            #expect(wait >= .seconds(5) && wait <= .seconds(30))
            if attempt == 0 { #expect(wait == .seconds(5)) }
            longest = max(longest, wait)
            now = until
        }
        #expect(longest > .seconds(20), "they have grown")
    }
}
