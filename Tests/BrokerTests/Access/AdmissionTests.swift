import Core
import MQTTCodec
import Testing

@testable import Broker

/// Bans, rates and counts of clients that come.
@Suite("Admission")
struct AdmissionTests {
    private static let address = NetworkAddress(bytes: [192, 0, 2, 7])!
    private static let loopback = NetworkAddress(bytes: [127, 0, 0, 1])!

    private func credentials(
        _ identifier: String = "c", user: String? = "u", from address: NetworkAddress? = address, listener: String = "l"
    ) -> Credentials {
        Credentials(listener: listener, address: address, clientIdentifier: identifier, userName: user)
    }

    private func time(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    private func admission(_ change: (inout AdmissionLimits) -> Void = { _ in }) -> Admission {
        var limits = AdmissionLimits()
        change(&limits)
        return Admission(limits: limits)
    }

    @Test("an address is banned after so many failures, and let in when the time is over")
    func addressBan() {
        var admission = admission {
            $0.banAfter = 3
            $0.banTime = .seconds(100)
        }
        for number in 0..<3 {
            #expect(admission.refusal(of: credentials("c\(number)"), now: time(0)) == nil)
            _ = admission.failed(credentials("c\(number)"), now: time(0))
        }
        #expect(admission.refusal(of: credentials("other"), now: time(99)) == .banned)
        #expect(admission.refusal(of: credentials("other", from: NetworkAddress(bytes: [192, 0, 2, 8])), now: time(99)) == nil)
        #expect(admission.refusal(of: credentials("other"), now: time(100)) == nil)
        #expect(admission.takeBans().map(\.subject) == [.address(Self.address)])
        #expect(admission.takeBans().isEmpty)
    }

    @Test("addresses of IPv6 are banned by their first 64 bits")
    func wideAddresses() {
        var admission = admission { $0.banAfter = 2 }
        let start: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 1]
        let one = NetworkAddress(bytes: start + [0, 0, 0, 0, 0, 0, 0, 1])
        let other = NetworkAddress(bytes: start + [1, 2, 3, 4, 5, 6, 7, 8])
        _ = admission.failed(credentials("a", from: one), now: time(0))
        _ = admission.failed(credentials("b", from: other), now: time(0))
        #expect(admission.refusal(of: credentials("c", from: one), now: time(1)) == .banned)
        #expect(admission.takeBans().map { "\($0.subject)" }.first?.contains("2001:db8:0:1:0:0:0:0") == true)
    }

    @Test("on this machine the client identifier is banned, and no address")
    func loopbackBan() {
        var admission = admission { $0.banAfter = 2 }
        for _ in 0..<2 { _ = admission.failed(credentials("bad", from: Self.loopback), now: time(0)) }
        #expect(admission.refusal(of: credentials("bad", from: Self.loopback), now: time(1)) == .banned)
        #expect(admission.refusal(of: credentials("good", from: Self.loopback), now: time(1)) == nil)
        admission.limits.bansLoopback = true
        for _ in 0..<2 { _ = admission.failed(credentials("", from: Self.loopback), now: time(0)) }
        #expect(admission.refusal(of: credentials("good", from: Self.loopback), now: time(1)) == .banned)
    }

    @Test("failures that lie further apart than the window, or before a success, do not add up")
    func window() {
        var admission = admission {
            $0.banAfter = 2
            $0.banWindow = .seconds(10)
            $0.bansAddresses = false
        }
        _ = admission.failed(credentials(), now: time(0))
        _ = admission.failed(credentials(), now: time(10))
        #expect(admission.refusal(of: credentials(), now: time(10)) == nil)
        admission.succeeded(credentials())
        _ = admission.failed(credentials(), now: time(11))
        #expect(admission.refusal(of: credentials(), now: time(11)) == nil)
    }

    @Test("the answer to a failure waits longer each time, up to a bound")
    func delays() {
        var admission = admission { $0.banAfter = nil }
        let delays = (0..<9).map { _ in admission.failed(credentials(), now: time(0)) }
        #expect(delays == [0, 100, 200, 400, 800, 1600, 3000, 3000, 3000].map { .milliseconds($0) })
        for _ in 0..<1000 { #expect(admission.failed(credentials(), now: time(0)) <= Admission.maximumDelay) }
        #expect(admission.refusal(of: credentials(), now: time(0)) == nil)
    }

    @Test("a client that comes and goes too often is banned for a while")
    func flapping() {
        var admission = admission {
            $0.flapAfter = 3
            $0.flapWindow = .seconds(10)
            $0.flapBanTime = .seconds(20)
        }
        let answers = (0..<4).map { admission.refusal(of: credentials(), now: time($0)) }
        #expect(answers == [nil, nil, nil, .banned])
        #expect(admission.refusal(of: credentials(), now: time(22)) == .banned)
        #expect(admission.refusal(of: credentials("other"), now: time(22)) == nil)
        #expect(admission.refusal(of: credentials(), now: time(23)) == nil)
        // Slowly is well.
        for second in 0..<20 { #expect(admission.refusal(of: credentials("slow"), now: time(Int64(second) * 5)) == nil) }
    }

    @Test("CONNECTs beyond a rate are refused: of a listener, of an address")
    func rates() {
        var admission = admission {
            $0.connectRate = 3
            $0.connectRatePerAddress = 2
        }
        let other = NetworkAddress(bytes: [192, 0, 2, 8])
        #expect((0..<3).map { _ in admission.refusal(of: credentials(), now: time(0)) } == [nil, nil, .connectionRateExceeded])
        #expect(admission.refusal(of: credentials(from: other), now: time(0)) == .connectionRateExceeded)
        #expect(admission.refusal(of: credentials(from: other, listener: "m"), now: time(0)) == nil)
        #expect(admission.refusal(of: credentials(), now: time(1)) == nil)
    }

    @Test("connections are counted by address")
    func counts() {
        var admission = admission { $0.maximumConnectionsPerAddress = 2 }
        let opened = [Self.address, Self.address, Self.address, Self.loopback].map { admission.opened(from: $0) }
        #expect(opened == [true, true, false, true])
        admission.closed(from: Self.address)
        let again = [Self.address, Self.address].map { admission.opened(from: $0) }
        #expect(again == [true, false])
    }

    @Test("with any number of attackers the tables stay bounded")
    func bounded() {
        var admission = admission { $0.banAfter = 1 }
        for number in 0..<50_000 {
            let bytes = [UInt8(10), UInt8(number >> 16), UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)]
            _ = admission.failed(credentials("c\(number)", from: NetworkAddress(bytes: bytes)), now: time(0))
        }
        #expect(admission.takeBans().count <= 2 * Admission.maximumNewBans)
        #expect(admission.banCount <= BanList.maximumCount)
    }

    @Test("a bucket lets through its burst and then its rate")
    func bucket() {
        var bucket = TokenBucket(rate: 10, burst: 5, now: time(0))
        let taken = (0..<6).map { _ in bucket.take(now: time(0)) }
        #expect(taken == [true, true, true, true, true, false])
        let later = [100, 150].map { bucket.take(now: time(0) + .milliseconds($0)) }
        #expect(later == [true, false])
        // A clock that stands still or steps back gives nothing.
        let waits = [(5, 10), (20, 10), (0, 12), (1, 11)].map { bucket.spend(Double($0), now: time(Int64($1))) }
        #expect(waits == [.zero, .seconds(2), .zero, .milliseconds(100)])
    }

    @Test("a bounded table keeps what is used and forgets the rest")
    func table() {
        var table = BoundedTable<Int, Int>(limit: 10)
        for key in 0..<1000 {
            table[key] = key
            #expect(table.count <= 10)
            let first = table[0]
            #expect(first == 0)
        }
        let found = [500, 999].map { table[$0] }
        #expect(found == [nil, 999])
        table[999] = nil
        let gone = table[999]
        #expect(gone == nil)
    }
}
