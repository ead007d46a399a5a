import Core
import MQTTCodec

/// What a run does. All values have been checked.
struct LoadPlan: Sendable {
    var scenario: Scenario
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
    /// `shared-sub`: how many groups the subscribers are divided into.
    var groups = 1
    /// `wild`: how many topics there are.
    var topics = 10_000
    /// Connections that are being opened at once.
    var pending = 64
    var userName: String?
    var password: [UInt8]?
    /// Time without any progress after which a run ends with what is lost.
    var stallTimeout = Duration.seconds(10)

    /// The first level of all topics.
    var prefix: String { "bench-\(String(tag, radix: 36))" }

    /// Seconds.
    static let keepAlive: UInt16 = 60

    /// The CONNECT of a client.
    ///
    /// - Parameters:
    ///   - role: tells the clients of a run apart, together with the index.
    ///   - isPersistent: whether its session outlives its connection, for an hour.
    func connect(_ role: Character, _ index: Int, isPersistent: Bool = false) -> ConnectPacket {
        var properties = Properties()
        if isPersistent, version == .v5 { properties.sessionExpiryInterval = 3600 }
        return ConnectPacket(
            version: version, clientIdentifier: "\(prefix)-\(role)\(index)", cleanStart: !isPersistent,
            keepAlive: LoadPlan.keepAlive, userName: userName, password: password, properties: properties)
    }

    /// The publishers that a subscriber hears.
    func sources(ofSubscriber index: Int) -> Range<Int> {
        scenario == .pairs ? index..<(index + 1) : 0..<publishers
    }

    /// The group of a subscriber.
    func group(ofSubscriber index: Int) -> Int { index % groups }
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
