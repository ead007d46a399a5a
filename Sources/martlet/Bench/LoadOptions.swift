import ArgumentParser
import Core
import MQTTCodec

/// How much load, and of what kind.
struct LoadOptions: ParsableArguments {
    @Option(help: "Publishers (default: 50 for pairs and durable, 1 for fan-out, 10 for the others).")
    var publishers: Int?

    @Option(
        help: """
            Subscribers (default: as many as publishers for pairs, 100 for fan-out, 500 for wild, 10 for shared-sub, 1 for the \
            others).
            """)
    var subscribers: Int?

    @Option(help: "Quality of service of messages and subscriptions: 0, 1 or 2 (default: 0; 1 for retain and durable).")
    var qos: UInt8?

    @Option(help: "Bytes of a payload, at least \(MessageStamp.size).")
    var payload = 64

    @Option(help: "Messages of each publisher.")
    var messages = 10_000

    @Option(
        help: """
            With QoS 0 the deliveries that may be outstanding in all (default: 100 for each publisher or subscriber, \
            whichever are more, and at least 2000); with QoS 1 and 2 the unacknowledged messages of each publisher \
            (default: 20).
            """)
    var window: Int?

    @Flag(help: "With QoS 0: sends without regard to what has arrived. A broker may then drop messages.")
    var openLoop = false

    @Option(help: "Messages per second of each publisher; 0 is as fast as possible.")
    var rate = 0.0

    @Option(help: "shared-sub: groups that the subscribers are divided into.")
    var groups = 1

    @Option(help: "wild: how many topics there are.")
    var topics = 10_000

    @Option(help: "conn, storm: how many connections.")
    var connections = 1000

    @Option(help: "Connections that are being opened at once.")
    var pending = 64

    @Option(help: "conn: seconds to hold the connections.")
    var hold = 5.0

    @Option(help: "probe: seconds to wait for the broker.")
    var wait = 30

    @Option(help: "Seconds without any progress after which a run ends with what is lost.")
    var stall = 10

    /// The most bits that tell which messages have arrived: 256 MiB.
    private static let maximumBits = 1 << 31

    /// What the options say, checked. The broker and its process are still to be filled in.
    func plan(_ scenario: Scenario) throws(ValidationError) -> LoadPlan {
        let publishers = publishers ?? LoadOptions.publishers(scenario)
        let subscribers = subscribers ?? LoadOptions.subscribers(scenario, publishers: publishers)
        try check(publishers, 1...60_000, "--publishers")
        try check(subscribers, 1...60_000, "--subscribers")
        try check(payload, MessageStamp.size...16_777_216, "--payload")
        try check(messages, 1...1_000_000_000, "--messages")
        try check(groups, 1...subscribers, "--groups")
        try check(connections, 1...60_000, "--connections")
        try check(pending, 1...10_000, "--pending")
        try check(topics, 1...1_000_000, "--topics")
        try check(wait, 1...86_400, "--wait")
        try check(stall, 1...86_400, "--stall")
        guard (0...86_400).contains(hold) else { throw ValidationError("--hold is 0…86400") }
        guard (0...1_000_000).contains(rate) else { throw ValidationError("--rate is 0…1000000") }
        guard scenario != .pairs || publishers == subscribers else {
            throw ValidationError("pairs have as many --subscribers as --publishers")
        }
        guard topics % 7919 != 0 else { throw ValidationError("--topics is no multiple of 7919") }
        guard scenario == .pairs || publishers * subscribers <= 20_000_000 else {
            throw ValidationError("--publishers times --subscribers is at most 20000000")
        }
        let qos = qos ?? (scenario.isStored ? 1 : 0)
        guard let qos = QoS(rawValue: qos) else { throw ValidationError("--qos is 0, 1 or 2") }
        guard qos != .atMostOnce || !scenario.isStored else {
            throw ValidationError("\(scenario.rawValue) needs --qos 1 or 2: without acknowledgements nobody knows what is stored")
        }
        try checkMemory(scenario, publishers: publishers, subscribers: subscribers)
        let window = window ?? (qos == .atMostOnce ? max(2000, 100 * max(publishers, subscribers)) : 20)
        try check(window, 1...(qos == .atMostOnce ? 100_000_000 : 65_535), "--window")
        var plan = LoadPlan(
            scenario: scenario, version: .v311, publishers: publishers, subscribers: subscribers, qos: qos,
            payload: payload, messages: UInt32(messages), window: window,
            maximumOutstanding: qos == .atMostOnce && !openLoop ? window : nil, rate: rate, brokerProcess: nil,
            tag: UInt32.random(in: 0...UInt32.max))
        plan.groups = scenario == .sharedSub ? groups : 1
        plan.topics = topics
        plan.pending = pending
        plan.stallTimeout = .seconds(stall)
        return plan
    }

    private static func publishers(_ scenario: Scenario) -> Int {
        switch scenario {
        case .pairs, .durable: 50
        case .fanOut: 1
        default: 10
        }
    }

    private static func subscribers(_ scenario: Scenario, publishers: Int) -> Int {
        switch scenario {
        case .pairs: publishers
        case .fanOut: 100
        case .wild: 500
        case .sharedSub: 10
        default: 1
        }
    }

    private func check(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(ValidationError) {
        guard range.contains(value) else {
            throw ValidationError("\(name) is \(range.lowerBound)…\(range.upperBound)")
        }
    }

    /// Where a message is remembered by a bit, or has a topic of its own, there is a limit to how many there are.
    private func checkMemory(_ scenario: Scenario, publishers: Int, subscribers: Int) throws(ValidationError) {
        let sets: Int
        switch scenario {
        case .wild: sets = subscribers
        case .sharedSub: sets = groups
        case .retain:
            sets = subscribers
            guard publishers * messages <= 2_000_000 else {
                throw ValidationError("retain: --publishers times --messages is at most 2000000")
            }
        default: return
        }
        guard sets * publishers * messages <= LoadOptions.maximumBits else {
            throw ValidationError("\(scenario.rawValue): that many messages cannot be followed; take fewer --messages")
        }
    }
}
