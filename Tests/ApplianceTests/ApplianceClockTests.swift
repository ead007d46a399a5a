import Core
import Store
import Testing

@testable import Appliance

@Suite("Appliance clock")
struct ApplianceClockTests {
    private func wall(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

    @Test("that the time became known is told once, and is not hidden by a step after it")
    func change() {
        let clock = ApplianceClock(latest: nil, wall: wall(0), monotonic: .zero)
        #expect(!clock.look(wall: wall(1000), monotonic: .zero + .seconds(1)).isTimeKnown)
        #expect(clock.takeChange() == .none)
        #expect(clock.look(wall: wall(1_790_000_000_000), monotonic: .zero + .seconds(2)).isTimeKnown)
        _ = clock.look(wall: wall(1_790_000_009_000), monotonic: .zero + .seconds(3))
        #expect(clock.takeChange() == .becameKnown)
        #expect(clock.takeChange() == .none)
    }
}
