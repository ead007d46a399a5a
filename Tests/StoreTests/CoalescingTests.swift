import Core
import TestSupport
import Testing

@testable import Store

@Suite("Coalescing of session operations")
struct CoalescingTests {
    private let message = makeMessage("t", [1])

    @Test("a message that is delivered before the commit never reaches the disk")
    func annihilation() {
        let operations: [SessionOperation] = [
            .putMessage(number: 7, message, expiresAt: nil),
            .enqueue(session: 1, sequence: 1, message: 7, qos: .exactlyOnce, retain: false, subscriptionIdentifiers: []),
            .putReceived(session: 2, packetIdentifier: 5),
            .setReleased(session: 1, sequence: 1),
            .deleteReceived(session: 2, packetIdentifier: 5),
            .dequeue(session: 1, sequence: 1),
            .deleteMessage(number: 7),
        ]
        #expect(SessionOperation.coalesced(operations, keepingDeletes: false).isEmpty)
        #expect(SessionOperation.coalesced(operations, keepingDeletes: true).count == 3)
    }

    @Test("a delete of what an earlier commit stored stays although its key is put and deleted again")
    func reusedPacketIdentifier() {
        let operations: [SessionOperation] = [
            .deleteReceived(session: 1, packetIdentifier: 5), .putReceived(session: 1, packetIdentifier: 5),
            .deleteReceived(session: 1, packetIdentifier: 5),
        ]
        let coalesced = SessionOperation.coalesced(operations, keepingDeletes: false)
        #expect(coalesced.count == 1)
        guard case .deleteReceived = coalesced.first else { return #expect(Bool(false), "the delete is gone") }
    }

    @Test("of many retained messages of a topic the last one stays")
    func retained() {
        let operations = (0..<10).map { SessionOperation.putRetained(makeMessage("t", [$0]), expiresAt: nil) }
        let coalesced = SessionOperation.coalesced(operations, keepingDeletes: false)
        guard case .putRetained(let last, _) = coalesced.first, coalesced.count == 1 else {
            return #expect(Bool(false), "not one operation")
        }
        #expect(last.payload == [9])
    }

    @Test("the result is the same with and without coalescing", arguments: 1...300)
    func equivalence(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var generator = OperationGenerator()
        var plain = StoreModel()
        var coalesced = StoreModel()
        for _ in 0..<5 {
            let batch = generator.batch(Int.random(in: 0...60, using: &random), &random)
            for operation in batch { plain.apply(operation) }
            for operation in SessionOperation.coalesced(batch, keepingDeletes: false) { coalesced.apply(operation) }
            #expect(plain == coalesced, "seed \(seed)")
        }
    }

    @Test("a batch that was stored already may come again with more behind it", arguments: 1...300)
    func repeated(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var generator = OperationGenerator()
        var plain = StoreModel()
        var repeated = StoreModel()
        let first = generator.batch(40, &random)
        let second = generator.batch(40, &random)
        for operation in first + second { plain.apply(operation) }
        for operation in SessionOperation.coalesced(first, keepingDeletes: false) { repeated.apply(operation) }
        for operation in SessionOperation.coalesced(first + second, keepingDeletes: true) { repeated.apply(operation) }
        #expect(plain == repeated, "seed \(seed)")
    }
}

/// What operations mean, as simply as it can be said.
struct StoreModel: Equatable {
    struct Entry: Equatable {
        var message: Int64
        var qos: QoS
        var retain: Bool
        var released = false
        var identifiers: [UInt32]
    }

    struct Session: Equatable {
        var fields: StoredSession?
        var subscriptions: [String: StoredSubscription] = [:]
        var queue: [Int64: Entry] = [:]
        var received: Set<UInt16> = []
    }

    var sessions: [Int64: Session] = [:]
    var messages: [Int64: MessageContent] = [:]
    var retained: [String: MessageContent] = [:]

    mutating func apply(_ operation: SessionOperation) {
        switch operation {
        case .putSession(let session): sessions[session.number, default: Session()].fields = session
        case .deleteSession(let number): sessions[number] = nil
        case .putSubscription(let session, let subscription):
            sessions[session, default: Session()].subscriptions[subscription.filter] = subscription
        case .deleteSubscription(let session, let filter): sessions[session]?.subscriptions[filter] = nil
        case .putMessage(let number, let message, _): messages[number] = MessageContent(message)
        case .deleteMessage(let number): messages[number] = nil
        case .enqueue(let session, let sequence, let message, let qos, let retain, let identifiers):
            sessions[session, default: Session()].queue[sequence] = Entry(
                message: message, qos: qos, retain: retain, identifiers: identifiers)
        case .setReleased(let session, let sequence): sessions[session]?.queue[sequence]?.released = true
        case .dequeue(let session, let sequence): sessions[session]?.queue[sequence] = nil
        case .putReceived(let session, let identifier): sessions[session, default: Session()].received.insert(identifier)
        case .deleteReceived(let session, let identifier): sessions[session]?.received.remove(identifier)
        case .putRetained(let message, _): retained[message.topic] = MessageContent(message)
        case .deleteRetained(let topic): retained[topic] = nil
        }
    }

    init() {}

    init(_ snapshot: SessionSnapshot) {
        for stored in snapshot.sessions {
            var session = Session(fields: stored.session)
            for subscription in stored.subscriptions { session.subscriptions[subscription.filter] = subscription }
            for entry in stored.queue {
                session.queue[entry.sequence] = Entry(
                    message: entry.message, qos: entry.qos, retain: entry.retain, released: entry.released,
                    identifiers: entry.subscriptionIdentifiers)
            }
            session.received = Set(stored.receivedPacketIdentifiers)
            sessions[stored.session.number] = session
        }
        messages = snapshot.messages.mapValues(MessageContent.init)
        for message in snapshot.retained { retained[message.topic] = MessageContent(message) }
    }
}

/// Makes the operations that a broker could give: puts of fresh keys, deletes of what is there, sessions that come and go.
struct OperationGenerator {
    private var live: [Int64: (next: Int64, queue: [Int64: Int64], received: Set<UInt16>)] = [:]
    private var references: [Int64: Int] = [:]
    private var nextSession: Int64 = 1
    private var nextMessage: Int64 = 1

    mutating func batch(_ count: Int, _ random: inout SeededRandom) -> [SessionOperation] {
        var operations: [SessionOperation] = []
        for _ in 0..<count { step(&operations, &random) }
        return operations
    }

    private mutating func step(_ operations: inout [SessionOperation], _ random: inout SeededRandom) {
        let kind = random.next() % 12
        guard kind > 0, let number = live.keys.sorted().randomElement(using: &random) else {
            let session = nextSession
            nextSession += 1
            live[session] = (1, [:], [])
            operations.append(.putSession(stored(session, nil)))
            return
        }
        switch kind {
        case 1 where random.next() % 3 == 0:
            for message in live.removeValue(forKey: number)?.queue.values.sorted() ?? [] { release(message, &operations) }
            operations.append(.deleteSession(number))
        case 1, 2:
            operations.append(.putSession(stored(number, Timestamp(milliseconds: Int64(random.next() % 1000)))))
        case 3:
            let options = UInt8(random.next() % 3)
            operations.append(
                .putSubscription(
                    session: number,
                    StoredSubscription(filter: "f/\(random.next() % 4)/#", options: options, identifier: 4)))
        case 4:
            operations.append(.deleteSubscription(session: number, filter: "f/\(random.next() % 4)/#"))
        case 5:
            let topic = "r/\(random.next() % 4)"
            operations.append(.putRetained(makeMessage(topic, [UInt8(random.next() % 256)], retain: true), expiresAt: nil))
        case 6:
            operations.append(.deleteRetained(topic: "r/\(random.next() % 4)"))
        case 7:
            let identifier = UInt16(1 + random.next() % 4)
            if live[number]?.received.insert(identifier).inserted == true {
                operations.append(.putReceived(session: number, packetIdentifier: identifier))
            } else {
                live[number]?.received.remove(identifier)
                operations.append(.deleteReceived(session: number, packetIdentifier: identifier))
            }
        case 8:
            let entries = live[number]?.queue.filter { OperationGenerator.qos(of: $0.value) == .exactlyOnce } ?? [:]
            if let sequence = entries.keys.sorted().randomElement(using: &random) {
                operations.append(.setReleased(session: number, sequence: sequence))
            }
        case 9:
            guard let sequence = live[number]?.queue.keys.sorted().randomElement(using: &random),
                let message = live[number]?.queue.removeValue(forKey: sequence)
            else { return }
            operations.append(.dequeue(session: number, sequence: sequence))
            release(message, &operations)
        default:
            publish(to: number, &operations, &random)
        }
    }

    private mutating func publish(
        to session: Int64, _ operations: inout [SessionOperation], _ random: inout SeededRandom
    ) {
        let message = nextMessage
        nextMessage += 1
        let content = makeMessage("m/\(message)", [UInt8(random.next() % 256)], properties: [1, 1])
        operations.append(.putMessage(number: message, content, expiresAt: nil))
        enqueue(message, for: session, &operations, &random)
        // Sometimes for others too: most often next, now and then later.
        while random.next() % 4 == 0, let other = live.keys.sorted().randomElement(using: &random) {
            if random.next() % 4 == 0 { step(&operations, &random) }
            guard references[message] != nil, live[other] != nil else { return }
            enqueue(message, for: other, &operations, &random)
        }
    }

    private mutating func enqueue(
        _ message: Int64, for session: Int64, _ operations: inout [SessionOperation], _ random: inout SeededRandom
    ) {
        let sequence = live[session]?.next ?? 1
        live[session]?.next += 1
        live[session]?.queue[sequence] = message
        references[message, default: 0] += 1
        operations.append(
            .enqueue(
                session: session, sequence: sequence, message: message, qos: OperationGenerator.qos(of: message),
                retain: Bool.random(using: &random), subscriptionIdentifiers: Bool.random(using: &random) ? [] : [1, 70_000]))
    }

    private static func qos(of message: Int64) -> QoS { message % 3 == 0 ? .exactlyOnce : .atLeastOnce }

    private mutating func release(_ message: Int64, _ operations: inout [SessionOperation]) {
        references[message, default: 0] -= 1
        guard references[message] == 0 else { return }
        references[message] = nil
        operations.append(.deleteMessage(number: message))
    }

    private func stored(_ number: Int64, _ disconnectedAt: Timestamp?) -> StoredSession {
        StoredSession(number: number, clientIdentifier: "c\(number)", expiryInterval: .max, disconnectedAt: disconnectedAt)
    }
}
