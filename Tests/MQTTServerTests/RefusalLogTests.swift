import Broker
import Core
import Testing

@testable import MQTTServer

@Suite("Lines about those that are turned away")
struct RefusalLogTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)
    private let one = NetworkAddress(bytes: [192, 0, 2, 1])!
    private let other = NetworkAddress(bytes: [192, 0, 2, 2])!

    private func line(_ message: String, _ cause: String? = "", on listener: String = "a", from site: NetworkAddress?) -> RefusalLog.Line {
        RefusalLog.Line(message: message, cause: cause, listener: listener, site: site)
    }

    @Test("the same line for the same address is written once in a minute, and then how often it was left out")
    func once() {
        var log = RefusalLog()
        let refused = line("refused", from: one)
        let written = (0..<1_000).count { _ in log.admits(refused, now: start) }
        #expect(written == 1)
        let early = log.takeSummaries(now: start + .seconds(59))
        #expect(early == [])
        let summaries = log.takeSummaries(now: start + .seconds(60))
        #expect(summaries == [.init(line: refused, count: 999)])
        let isWrittenAgain = log.admits(refused, now: start + .seconds(61))
        #expect(isWrittenAgain)
        let later = log.takeSummaries(now: start + .seconds(62))
        #expect(later == [])
    }

    @Test("other messages, causes, listeners and addresses are other lines")
    func others() {
        var log = RefusalLog()
        let lines = [
            line("refused", from: one), line("refused", from: other), line("closed", from: one), line("refused", from: nil),
            line("refused", "why", from: one), line("refused", "why", on: "b", from: one), line("refused", from: other),
        ]
        let written = lines.map { log.admits($0, now: start) }
        #expect(written == [true, true, true, true, true, true, false])
    }

    @Test("whoever thinks of ever new causes gets a few lines, and leaves room for others")
    func manyCauses() {
        var log = RefusalLog()
        let written = (0..<1_000).count { log.admits(line("refused", "cause \($0)", from: one), now: start) }
        #expect(written == RefusalLog.maximumCauses)
        let isOtherWritten = log.admits(line("refused", "cause 1", from: other), now: start)
        #expect(isOtherWritten)
        let summaries = log.takeSummaries(now: start + .seconds(60))
        #expect(summaries == [.init(line: line("refused", nil, from: one), count: 992)])
    }

    @Test("whoever has many addresses gets no more lines than there may be, and is counted all the same")
    func manyAddresses() {
        var log = RefusalLog()
        let addresses = (0..<1_000).map { NetworkAddress(bytes: [10, 0, UInt8($0 / 250), UInt8($0 % 250)])! }
        let written = addresses.count { log.admits(line("refused", from: $0), now: start) }
        #expect(written == RefusalLog.maximumLines)
        let summaries = log.takeSummaries(now: start + .seconds(60))
        #expect(summaries == [.init(line: nil, count: 900)])
    }
}
