import Core

/// The topics of a run: what each message is published to, what each subscriber subscribes to, and how many deliveries a
/// message leads to.
final class LoadTopics {
    private let plan: LoadPlan
    /// The topics one after the other, and where each begins; one more than there are topics.
    private let bytes: UnsafeMutableRawBufferPointer
    private let starts: [Int]
    /// Deliveries of a message, by topic.
    private let deliveries: [Int]
    /// `wild`: the subscribers' filters, and for each subscriber a bit for every topic that it matches.
    private let wildFilters: [String]
    private let wildMatches: BitTable

    /// What makes the topics of successive messages differ, as two primes do.
    private static let step = 7919
    private static let offset = 1237

    init(_ plan: LoadPlan) {
        self.plan = plan
        let names = LoadTopics.names(plan)
        var starts = [0]
        for name in names { starts.append(starts[starts.count - 1] + name.utf8.count) }
        self.starts = starts
        bytes = .allocate(byteCount: max(1, starts[starts.count - 1]), alignment: 1)
        for (name, start) in zip(names, starts) { bytes[start...].copyBytes(from: name.utf8) }
        if plan.scenario == .wild {
            wildFilters = LoadTopics.wildFilters(plan)
            var matches = BitTable(rows: plan.subscribers, columns: names.count)
            var deliveries = Array(repeating: 0, count: names.count)
            for (subscriber, text) in wildFilters.enumerated() {
                guard let filter = TopicFilter(text) else { preconditionFailure("not a filter: \(text)") }
                for (topic, name) in names.enumerated() where filter.matches(name) {
                    _ = matches.insert(topic, row: subscriber)
                    deliveries[topic] += 1
                }
            }
            (wildMatches, self.deliveries) = (matches, deliveries)
        } else {
            wildFilters = []
            wildMatches = BitTable(rows: 0, columns: 0)
            let each =
                switch plan.scenario {
                case .pairs: 1
                case .sharedSub: plan.groups
                default: plan.subscribers
                }
            deliveries = Array(repeating: each, count: names.count)
        }
    }

    deinit { bytes.deallocate() }

    // MARK: Messages

    /// The number of a message's topic.
    @inline(__always)
    func topic(publisher: Int, sequence: UInt32) -> Int {
        switch plan.scenario {
        case .pairs, .fanIn, .durable: publisher
        case .wild: (Int(sequence) * LoadTopics.step + publisher * LoadTopics.offset) % plan.topics
        case .retain: publisher * Int(plan.messages) + Int(sequence)
        default: 0
        }
    }

    /// The topic with a number; valid while this object lives.
    @inline(__always)
    func name(_ topic: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[starts[topic]..<starts[topic + 1]])
    }

    /// How many deliveries a message leads to.
    @inline(__always)
    func deliveries(_ topic: Int) -> Int { deliveries[topic] }

    /// Whether a subscriber is to get what is published to a topic.
    @inline(__always)
    func isExpected(_ topic: Int, bySubscriber subscriber: Int) -> Bool {
        plan.scenario != .wild || wildMatches.contains(topic, row: subscriber)
    }

    // MARK: Subscriptions

    /// What a subscriber subscribes to.
    func filters(ofSubscriber index: Int) -> [String] {
        switch plan.scenario {
        case .pairs: ["\(plan.prefix)/pair/\(index)"]
        case .fanIn: (0..<plan.publishers).map { "\(plan.prefix)/in/\($0)" }
        case .fanOut: ["\(plan.prefix)/out"]
        case .wild: [wildFilters[index]]
        case .sharedSub: ["$share/g\(plan.group(ofSubscriber: index))/\(plan.prefix)/shared/t"]
        case .retain: ["\(plan.prefix)/r/#"]
        case .durable: ["\(plan.prefix)/durable/+"]
        case .storm: ["\(plan.prefix)/storm/\(index)/+"]
        case .conn, .probe: []
        }
    }

    private static func names(_ plan: LoadPlan) -> [String] {
        let prefix = plan.prefix
        return switch plan.scenario {
        case .pairs: (0..<plan.publishers).map { "\(prefix)/pair/\($0)" }
        case .fanIn: (0..<plan.publishers).map { "\(prefix)/in/\($0)" }
        case .durable: (0..<plan.publishers).map { "\(prefix)/durable/\($0)" }
        case .wild: (0..<plan.topics).map { "\(prefix)/s\($0 / 1000)/d\($0 / 10 % 100)/m\($0 % 10)" }
        case .retain: (0..<plan.publishers * Int(plan.messages)).map { "\(prefix)/r/\($0 / 100)/\($0 % 100)" }
        case .fanOut: ["\(prefix)/out"]
        default: ["\(prefix)/shared/t"]
        }
    }

    /// Of 20 filters 17 match 10 topics, 2 match 100 and 1 matches 1,000, when there are 10,000. The same in every run.
    private static func wildFilters(_ plan: LoadPlan) -> [String] {
        // Marsaglia's xorshift.
        var random: UInt64 = 88_172_645_463_325_252
        let sites = UInt64((plan.topics + 999) / 1000)
        return (0..<plan.subscribers).map { index in
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            let site = (random >> 8) % sites
            let device = (random >> 24) % 100
            let point = (random >> 40) % 10
            return switch index % 20 {
            case ..<6: "\(plan.prefix)/+/d\(device)/m\(point)"
            case ..<13: "\(plan.prefix)/s\(site)/d\(device)/#"
            case ..<17: "+/s\(site)/d\(device)/+"
            case ..<19: "\(plan.prefix)/s\(site)/+/m\(point)"
            default: "\(plan.prefix)/s\(site)/#"
            }
        }
    }
}

/// A bit for each column of each row.
struct BitTable {
    private let wordsPerRow: Int
    private var words: [UInt64]

    init(rows: Int, columns: Int) {
        wordsPerRow = (columns + 63) / 64
        words = Array(repeating: 0, count: rows * wordsPerRow)
    }

    @inline(__always)
    func contains(_ column: Int, row: Int) -> Bool {
        words[row * wordsPerRow + column >> 6] >> UInt64(column & 63) & 1 == 1
    }

    /// - Returns: whether the bit was not set before.
    @inline(__always)
    mutating func insert(_ column: Int, row: Int) -> Bool {
        let index = row * wordsPerRow + column >> 6
        let bit: UInt64 = 1 << UInt64(column & 63)
        guard words[index] & bit == 0 else { return false }
        words[index] |= bit
        return true
    }
}
