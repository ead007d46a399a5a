import Core
import Testing

@testable import Bridge

@Suite("Search for refused messages")
struct RefusalSearchTests {
    private static func place(_ sequence: Int64, _ topic: String = "t", lane: String = "up/5#1") -> RefusalSearch.Place {
        .init(lane: lane, sequence: sequence, topic: topic)
    }

    private let now = MonotonicTime(nanoseconds: 1_000_000_000)
    private var search = RefusalSearch()

    /// A search that has begun because of message 1.
    private static func active() -> RefusalSearch {
        var search = RefusalSearch()
        for _ in 0..<3 { _ = search.ended(oldest: [place(1)], isAlone: false, now: .zero) }
        return search
    }

    /// A connection on which others arrive before a message is sent alone, over which it ends.
    private func connection(_ search: inout RefusalSearch, others: Int, then last: RefusalSearch.Place) -> RefusalSearch.Place? {
        search.connected()
        for sequence in 0..<others {
            search.sent(now: now)
            search.acknowledged(RefusalSearchTests.place(1_000 + Int64(sequence), "other"))
        }
        search.sent(now: now)
        return search.ended(oldest: [last], isAlone: true, now: now)
    }

    @Test("it begins when a message was the oldest unacknowledged one of its lane at three ends in a row")
    mutating func begins() {
        let head = RefusalSearchTests.place(7)
        let other = (1...3).map { RefusalSearchTests.place(Int64($0), lane: "up/9#1") }
        for end in 0..<3 {
            #expect(!search.isActive)
            #expect(search.ended(oldest: [other[end], head], isAlone: false, now: now) == nil)
        }
        #expect(search.isActive)
    }

    @Test("it does not begin where each connection brings some further")
    mutating func progress() {
        for sequence in 1...20 {
            _ = search.ended(oldest: [RefusalSearchTests.place(Int64(sequence))], isAlone: false, now: now)
        }
        #expect(!search.isActive)
    }

    @Test("what ends three connections on which others have arrived is skipped")
    func skips() {
        var search = RefusalSearchTests.active()
        let refused = RefusalSearchTests.place(1)
        #expect(connection(&search, others: 0, then: refused) == nil)
        #expect(connection(&search, others: 1, then: refused) == nil)
        #expect(connection(&search, others: 1, then: refused) == nil)
        #expect(search.suspects == [refused])
        #expect(connection(&search, others: 1, then: refused) == refused)
        #expect(search.suspects.isEmpty)
    }

    @Test("nothing is skipped while no other message arrives, however often the connection ends")
    func withoutProof() {
        var search = RefusalSearchTests.active()
        for _ in 0..<1_000 { #expect(connection(&search, others: 0, then: RefusalSearchTests.place(1)) == nil) }
        for sequence in 1...1_000 {
            #expect(connection(&search, others: 0, then: RefusalSearchTests.place(Int64(sequence))) == nil)
        }
    }

    @Test("a suspect that arrives is one no more, and its earlier ends are forgotten")
    func acquits() {
        var search = RefusalSearchTests.active()
        let suspect = RefusalSearchTests.place(1)
        for _ in 0..<2 { #expect(connection(&search, others: 1, then: suspect) == nil) }
        search.connected()
        search.sent(now: now)
        search.acknowledged(suspect)
        #expect(search.suspects.isEmpty)
        for _ in 0..<2 { #expect(connection(&search, others: 1, then: suspect) == nil) }
    }

    @Test("of a topic of which a message was skipped one end is enough, until one of it arrives")
    func sameTopic() {
        var search = RefusalSearchTests.active()
        for _ in 0..<3 { _ = connection(&search, others: 1, then: RefusalSearchTests.place(1, "a.b")) }
        #expect(connection(&search, others: 0, then: RefusalSearchTests.place(2, "a.b")) == nil)
        #expect(connection(&search, others: 1, then: RefusalSearchTests.place(2, "a.b")) == RefusalSearchTests.place(2, "a.b"))
        search.connected()
        search.acknowledged(RefusalSearchTests.place(3, "a.b"))
        #expect(connection(&search, others: 1, then: RefusalSearchTests.place(4, "a.b")) == nil)
    }

    @Test("an end that comes late, or with more than one message on its way, accuses nobody")
    func unclear() {
        var search = RefusalSearchTests.active()
        let message = RefusalSearchTests.place(1)
        for isAlone in [true, false] {
            search.connected()
            search.acknowledged(RefusalSearchTests.place(2))
            search.sent(now: now)
            #expect(search.ended(oldest: [message], isAlone: isAlone, now: isAlone ? now + .seconds(21) : now) == nil)
            #expect(search.suspects.isEmpty)
        }
    }

    @Test("an upstream that ends every connection after so many messages is not taken for one that refuses", arguments: 1...30)
    func quota(messages: Int) {
        var search = RefusalSearchTests.active()
        var next: Int64 = 1
        for _ in 0..<100 {
            search.connected()
            for sent in 1...messages {
                var place = RefusalSearchTests.place(next)
                if search.isRetryDue { place = search.suspects[0] } else { next += 1 }
                search.sent(now: now)
                if sent < messages {
                    search.acknowledged(place)
                } else {
                    #expect(search.ended(oldest: [place], isAlone: true, now: now) == nil)
                }
            }
        }
    }

    @Test("it ends when a hundred have arrived in a row and nobody is suspected, or nothing waits")
    func ends() {
        var search = RefusalSearchTests.active()
        _ = connection(&search, others: 0, then: RefusalSearchTests.place(1))
        search.connected()
        for sequence in 2...200 { search.acknowledged(RefusalSearchTests.place(Int64(sequence))) }
        #expect(search.isActive)
        search.acknowledged(RefusalSearchTests.place(1))
        #expect(!search.isActive)
        search = RefusalSearchTests.active()
        search.nothingWaits()
        #expect(!search.isActive && search.suspects.isEmpty)
    }
}
