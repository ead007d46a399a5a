import Core
import Testing

@testable import Appliance

@Suite("What is said of losses")
struct LossLogTests {
    @Test("a loss is said at once, later ones once a minute with their sum")
    func sums() {
        let log = LossLog()
        let start = MonotonicTime.zero + .seconds(100)
        #expect(log.count(3, now: start) == 3)
        #expect(log.count(4, now: start + .seconds(1)) == nil)
        #expect(log.count(5, now: start + .seconds(59)) == nil)
        #expect(log.count(6, now: start + .seconds(60)) == 15)
        #expect(log.count(7, now: start + .seconds(61)) == nil)
    }
}
