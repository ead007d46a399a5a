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
        let early = log.takeSummaries(now: start + .seconds(59))
        #expect(early == [])
        let summaries = log.takeSummaries(now: start + .seconds(60))
        #expect(summaries == [.init(message: "refused", site: one, count: 999)])
        let isWrittenAgain = log.admits("refused", from: one, now: start + .seconds(61))
        #expect(isWrittenAgain)
        let later = log.takeSummaries(now: start + .seconds(62))
        #expect(later == [])
    }

    @Test("other lines and other addresses are other lines")
    func others() {
        var log = RefusalLog()
        let lines: [(String, NetworkAddress?)] = [
            ("refused", one), ("refused", other), ("closed", one), ("refused", nil), ("refused", other),
        ]
        let written = lines.map { log.admits($0.0, from: $0.1, now: start) }
        #expect(written == [true, true, true, true, false])
    }

    @Test("whoever has many addresses gets no more lines than there may be, and is counted all the same")
    func manyAddresses() {
        var log = RefusalLog()
        let addresses = (0..<1_000).map { NetworkAddress(bytes: [10, 0, UInt8($0 / 250), UInt8($0 % 250)])! }
        let written = addresses.count { log.admits("refused", from: $0, now: start) }
        #expect(written == RefusalLog.maximumLines)
        let summaries = log.takeSummaries(now: start + .seconds(60))
        #expect(summaries == [.init(message: nil, site: nil, count: 900)])
    }
}
