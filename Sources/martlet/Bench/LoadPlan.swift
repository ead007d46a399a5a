import ArgumentParser
import Core
import MQTTCodec

/// Who publishes to whom.
enum Scenario: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Publisher i to subscriber i, each pair with its own topic.
    case pairs
    /// Every publisher with its own topic, every subscriber with a wildcard that matches them all.
    case fanIn = "fan-in"
    /// One topic for all.
    case fanOut = "fan-out"
    /// Connections that do nothing.
    case conn
}

/// What a run does. All values have been checked.
struct LoadPlan: Sendable {
    var scenario: Scenario
    var host: String
    var port: Int
    var version: ProtocolVersion
    var publishers: Int
    var subscribers: Int
    var qos: QoS
    /// Bytes, at least ``MessageStamp/size``.
    var payload: Int
    /// Of each publisher.
    var messages: UInt32
    /// QoS 1 and 2: messages of a publisher that the broker has not acknowledged.
    var window: Int
    /// Deliveries of all publishers together that have not arrived; nil for no limit.
    var maximumOutstanding: Int?
    /// Messages per second of each publisher; 0 for as many as the limits allow.
    var rate: Double
    var brokerProcess: Int32?
    /// Tells this run's topics and client identifiers from those of another one.
    var tag: UInt32
    /// Time without any progress after which a run ends with what is lost.
    var stallTimeout = Duration.seconds(10)

    private var prefix: String { "bench/\(String(tag, radix: 36))/" }

    func clientIdentifier(_ role: Character, _ index: Int) -> String { "bench-\(String(tag, radix: 36))-\(role)\(index)" }

    func topic(ofPublisher index: Int) -> String { scenario == .fanOut ? prefix + "all" : "\(prefix)\(index)" }

    func filter(ofSubscriber index: Int) -> String {
        switch scenario {
        case .pairs, .conn: "\(prefix)\(index)"
        case .fanIn: prefix + "+"
        case .fanOut: prefix + "all"
        }
    }

    /// The publishers that a subscriber hears.
    func sources(ofSubscriber index: Int) -> Range<Int> {
        scenario == .pairs ? index..<(index + 1) : 0..<publishers
    }

    /// The flow from the first of a subscriber's sources; those of the others follow.
    func firstFlow(ofSubscriber index: Int) -> Int { scenario == .pairs ? index : index * publishers }

    var flows: Int { scenario == .pairs ? publishers : publishers * subscribers }

    /// The publisher of a flow.
    func publisher(ofFlow flow: Int) -> Int { flow % publishers }

    /// Subscribers that get each message.
    var deliveriesPerMessage: Int { scenario == .pairs ? 1 : subscribers }
}

/// Why there is nothing to measure.
enum BenchError: Error, CustomStringConvertible {
    /// The broker cannot be reached, refuses a connection or a subscription, or ends one before the measurement.
    case cannotConnect(String)
    /// No process of this number that can be read.
    case noProcess(Int32)

    var description: String {
        switch self {
        case .cannotConnect(let reason): "cannot connect: \(reason)"
        case .noProcess(let number): "there is no process \(number) whose processor time can be read (--broker-pid)"
        }
    }
}
