import TestSupport
import Testing

@testable import martlet

@Suite("Delivery ledger")
struct DeliveryLedgerTests {
    @Test("flows do not mix")
    func flows() {
        var ledger = DeliveryLedger(flows: 2)
        let isNew = [(0, 0), (0, 1), (0, 1), (2, 1), (1, 1)].map { ledger.record($0.0, flow: $0.1) }
        #expect(isNew == [true, true, false, true, true])
        #expect(ledger.arrived == 4)
        #expect(ledger.duplicates == 1)
        #expect(ledger.outOfOrder == 1)
    }

    @Test("of those that share messages one gets each, and each gets a publisher's in order")
    func shared() {
        var ledger = DeliveryLedger(sets: 1, subscribers: 2, publishers: 2, messages: 10, order: .ofPublisher)
        let isNew1 = ledger.record(3, publisher: 0, subscriber: 0, set: 0)
        #expect(isNew1)
        let isNew2 = ledger.record(1, publisher: 0, subscriber: 1, set: 0)
        #expect(isNew2)
        #expect(ledger.outOfOrder == 0)
        let isNew3 = ledger.record(3, publisher: 0, subscriber: 1, set: 0)
        #expect(!isNew3)
        #expect(ledger.duplicates == 1)
        let isNew4 = ledger.record(2, publisher: 0, subscriber: 0, set: 0)
        #expect(isNew4)
        #expect(ledger.outOfOrder == 1)
        let isNew5 = ledger.record(2, publisher: 1, subscriber: 0, set: 0)
        #expect(isNew5)
        #expect(ledger.arrived == 4 && ledger.outOfOrder == 1)
    }

    @Test("groups get each message once each")
    func groups() {
        var ledger = DeliveryLedger(sets: 2, subscribers: 2, publishers: 1, messages: 3, order: .ofPublisher)
        let isNew6 = ledger.record(0, publisher: 0, subscriber: 0, set: 0)
        #expect(isNew6)
        let isNew7 = ledger.record(0, publisher: 0, subscriber: 1, set: 1)
        #expect(isNew7)
        let isNew8 = ledger.record(0, publisher: 0, subscriber: 1, set: 1)
        #expect(!isNew8)
    }

    @Test("where only a topic's messages are in order, only those are late")
    func topics() {
        var ledger = DeliveryLedger(sets: 1, subscribers: 1, publishers: 1, messages: 100, order: .ofTopic(stride: 10))
        for sequence in [15, 14, 35, 25, 5] as [UInt32] {
            let isNew9 = ledger.record(sequence, publisher: 0, subscriber: 0, set: 0)
        #expect(isNew9)
        }
        // 14 is of another topic than 15; 25 and 5 are of that of 35.
        #expect(ledger.outOfOrder == 2)
        #expect(ledger.arrived == 5)
    }

    @Test("where no order is promised nothing is late")
    func noOrder() {
        var ledger = DeliveryLedger(sets: 1, subscribers: 1, publishers: 1, messages: 5, order: .none)
        for sequence in [4, 0, 2] as [UInt32] { _ = ledger.record(sequence, publisher: 0, subscriber: 0, set: 0) }
        #expect(ledger.arrived == 3 && ledger.outOfOrder == 0)
    }

    @Test("loss, repetition and disorder are counted as sets of numbers count them")
    func agreesWithAModel() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<100 {
            var ledger = DeliveryLedger(sets: 3, subscribers: 3, publishers: 2, messages: 70, order: .ofPublisher)
            var seen: [Int: Set<UInt32>] = [:]
            var (arrived, duplicates, late) = (0, 0, 0)
            for _ in 0..<200 {
                let sequence = UInt32.random(in: 0..<70, using: &generator)
                let (publisher, subscriber) = (Int.random(in: 0...1, using: &generator), Int.random(in: 0...2, using: &generator))
                let before = seen[subscriber * 2 + publisher, default: []]
                if before.contains(sequence) { duplicates += 1 } else { arrived += 1 }
                if !before.contains(sequence), before.contains(where: { $0 > sequence }) { late += 1 }
                seen[subscriber * 2 + publisher, default: []].insert(sequence)
                _ = ledger.record(sequence, publisher: publisher, subscriber: subscriber, set: subscriber)
            }
            #expect(ledger.arrived == arrived && ledger.duplicates == duplicates && ledger.outOfOrder == late, "seed \(seed)")
        }
    }
}
