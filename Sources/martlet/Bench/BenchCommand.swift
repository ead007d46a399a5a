import ArgumentParser
import Core
import Glibc
import MQTTCodec
import NIOCore
import NIOPosix

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Puts load on an MQTT broker and says what arrived, how fast, and what it cost the broker.",
        discussion: """
            pairs: each publisher has a subscriber of its own. fan-in: the subscribers hear all publishers by a \
            wildcard. fan-out: all subscribers hear one topic. conn: connections are opened and held.

            Measured is from the first message to the last delivery, after all connections are there and each flow has \
            carried a message. The exit status is 0 if everything arrived once and in order, 3 if not, and 1 if there \
            is nothing to measure.
            """)

    @Argument(help: "pairs, fan-in, fan-out or conn.")
    var scenario: Scenario

    @Option(help: "The broker's name or address.")
    var host = "127.0.0.1"

    @Option(help: "The broker's port.")
    var port = 1883

    @Option(help: "Publishers (default: 50 for pairs, 10 for fan-in, 1 for fan-out).")
    var publishers: Int?

    @Option(help: "Subscribers (default: as many as publishers for pairs, 1 for fan-in, 100 for fan-out).")
    var subscribers: Int?

    @Option(help: "Quality of service of messages and subscriptions: 0, 1 or 2.")
    var qos: UInt8 = 0

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

    @Option(help: "The protocol: 3.1.1 or 5.0.")
    var version = "3.1.1"

    @Option(help: "The broker's process, to measure its processor time and memory.")
    var brokerPid: Int32?

    @Option(help: "conn: how many connections.")
    var connections = 1000

    @Option(help: "conn: seconds to hold them.")
    var hold = 5

    @Flag(help: "Prints one line of JSON.")
    var json = false

    mutating func validate() throws {
        _ = try plan()
        guard (1...60_000).contains(connections) else { throw ValidationError("--connections is 1…60000") }
        guard (0...86_400).contains(hold) else { throw ValidationError("--hold is 0…86400") }
    }

    mutating func run() async throws {
        let plan = try plan()
        DescriptorLimit.raise()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let status = try await run(plan, on: group.next())
            try await group.shutdownGracefully()
            if status != .success { throw status }
        } catch let error as BenchError {
            complain("\(error)")
            throw ExitCode(1)
        }
    }

    private func run(_ plan: LoadPlan, on loop: any EventLoop) async throws -> ExitCode {
        let address: SocketAddress
        do {
            address = try SocketAddress.makeAddressResolvingHost(plan.host, port: plan.port)
        } catch {
            throw BenchError.cannotConnect("\(plan.host):\(plan.port): \(error)")
        }
        if plan.scenario == .conn {
            let (count, hold) = (connections, TimeAmount.seconds(Int64(hold)))
            let outcome = try await loop.flatSubmit {
                IdleRun(plan: plan, connections: count, hold: hold, on: loop).start(at: address)
            }.get()
            print(json ? outcome.json : outcome.table)
            if outcome.lost > 0 { complain("the broker closed \(outcome.lost) connections") }
            return outcome.lost == 0 ? .success : ExitCode(3)
        }
        let outcome = try await loop.flatSubmit { LoadRun(plan: plan, on: loop).start(at: address) }.get()
        print(json ? outcome.json(plan) : outcome.table(plan))
        if let interruption = outcome.interruption { complain(interruption) }
        if outcome.strange > 0 { complain("\(outcome.strange) messages arrived that were not sent to their receiver") }
        return outcome.isFaultless ? .success : ExitCode(3)
    }

    private func complain(_ text: String) {
        let line = Array("martlet bench: \(text)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// What the options say, checked.
    private func plan() throws -> LoadPlan {
        let defaults = scenario == .pairs ? (50, publishers ?? 50) : scenario == .fanIn ? (10, 1) : (1, 100)
        let publishers = publishers ?? defaults.0
        let subscribers = subscribers ?? defaults.1
        guard (1...60_000).contains(publishers) else { throw ValidationError("--publishers is 1…60000") }
        guard (1...60_000).contains(subscribers) else { throw ValidationError("--subscribers is 1…60000") }
        guard scenario != .pairs || publishers == subscribers else {
            throw ValidationError("pairs have as many --subscribers as --publishers")
        }
        guard publishers * subscribers <= 20_000_000 || scenario == .pairs else {
            throw ValidationError("--publishers times --subscribers is at most 20000000")
        }
        guard let qos = QoS(rawValue: qos) else { throw ValidationError("--qos is 0, 1 or 2") }
        guard let version = ["3.1.1": ProtocolVersion.v311, "5.0": .v5][version] else {
            throw ValidationError("--version is 3.1.1 or 5.0")
        }
        guard (MessageStamp.size...16_777_216).contains(payload) else {
            throw ValidationError("--payload is \(MessageStamp.size)…16777216")
        }
        guard (1...1_000_000_000).contains(messages) else { throw ValidationError("--messages is 1…1000000000") }
        guard (1...65_535).contains(port) else { throw ValidationError("--port is 1…65535") }
        guard (0...1_000_000).contains(rate) else { throw ValidationError("--rate is 0…1000000") }
        let window = window ?? (qos == .atMostOnce ? max(2000, 100 * max(publishers, subscribers)) : 20)
        let largest = qos == .atMostOnce ? 100_000_000 : 65_535
        guard (1...largest).contains(window) else { throw ValidationError("--window is 1…\(largest)") }
        return LoadPlan(
            scenario: scenario, host: host, port: port, version: version, publishers: publishers,
            subscribers: subscribers, qos: qos, payload: payload, messages: UInt32(messages), window: window,
            maximumOutstanding: qos == .atMostOnce && !openLoop ? window : nil, rate: rate, brokerProcess: brokerPid,
            tag: UInt32.random(in: 0...UInt32.max))
    }
}

/// The number of files, and so connections, that this process may have open.
private enum DescriptorLimit {
    /// Raises it to what the system allows without privileges.
    static func raise() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
