import Broker
import Core
import Testing

@testable import MQTTServer

@Suite("Lines about those that are turned away")
struct RefusalLogTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)
    private let one = NetworkAddress(bytes: [192, 0, 2, 1])!
    private let other = NetworkAddress(bytes: [192, 0, 2, 2])!

    @Test("the same line for the same address is written once in a minute, and then how often it was left out")
    func once() {
        var log = RefusalLog()
        let written = (0..<1_000).count { _ in log.admits("refused", from: one, now: start) }
        #expect(written == 1)
        #expect(log.takeSummaries(now: start + .seconds(59)).isEmpty)
        #expect(log.takeSummaries(now: start + .seconds(60)) == [.init(message: "refused", site: one, count: 999)])
        #expect(log.admits("refused", from: one, now: start + .seconds(61)))
        #expect(log.takeSummaries(now: start + .seconds(62)).isEmpty)
    }

    @Test("other lines and other addresses are other lines")
    func others() {
        var log = RefusalLog()
        #expect(log.admits("refused", from: one, now: start))
        #expect(log.admits("refused", from: other, now: start))
        #expect(log.admits("closed", from: one, now: start))
        #expect(log.admits("refused", from: nil, now: start))
        #expect(!log.admits("refused", from: other, now: start))
    }

    @Test("whoever has many addresses gets no more lines than there may be, and is counted all the same")
    func manyAddresses() {
        var log = RefusalLog()
        let addresses = (0..<1_000).map { NetworkAddress(bytes: [10, 0, UInt8($0 / 250), UInt8($0 % 250)])! }
        let written = addresses.count { log.admits("refused", from: $0, now: start) }
        #expect(written == RefusalLog.maximumLines)
        #expect(log.takeSummaries(now: start + .seconds(60)) == [.init(message: nil, site: nil, count: 900)])
    }
}
