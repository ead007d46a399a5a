import ArgumentParser
import Core
import MQTTClient
import MQTTCodec
import NIOCore
import NIOPosix

struct SubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribes to topics at an MQTT broker and writes the messages that come.",
        discussion: """
            The options are those of mosquitto_sub where it has them. When a connection is lost it is made again after a while. \
            The exit status is 0 when it ended as it should, 1 when there is no connection, 5 when the broker refuses the \
            connection or all subscriptions, 27 when --timeout is over, and 64 when the options cannot be used.
            """,
        helpNames: [.long])

    @OptionGroup(title: "Broker")
    var broker: BrokerOptions

    @OptionGroup(title: "Client")
    var client: ClientOptions

    @Option(name: [.customShort("t"), .long], parsing: .unconditionalSingleValue, help: "A topic filter; as often as you like.")
    var topic: [String] = []

    @Option(
        name: [.customShort("U"), .customLong("unsubscribe")], parsing: .unconditionalSingleValue,
        help: "A topic filter to unsubscribe from.")
    var unsubscribe: [String] = []

    @Option(
        name: [.customShort("T"), .customLong("filter-out")], parsing: .unconditionalSingleValue,
        help: "A topic filter whose messages are not written.")
    var filterOut: [String] = []

    @Option(name: [.customShort("q"), .long], help: "The largest quality of service to receive: 0, 1 or 2.")
    var qos: UInt8 = 0

    @Option(name: [.customShort("C"), .customLong("count")], help: "Ends after so many messages.")
    var count: Int?

    @Option(name: [.customShort("W"), .customLong("timeout")], help: "Ends after so many seconds, with status 27.")
    var timeout: Double?

    @Flag(name: [.customShort("v"), .long], help: "Writes the topic in front of each message.")
    var verbose = false

    @Option(
        name: [.customShort("F"), .long], parsing: .unconditional,
        help: """
            How to write a message: %t topic, %p payload, %x %X payload in hexadecimal, %j %J JSON (with the payload as text, \
            as JSON), %q QoS, %r retained, %d duplicate, %m packet identifier, %l length, %U seconds since 1970, %I date, \
            %C content type, %R response topic, %D correlation data, %E expiry, %F format, %P user properties, %S subscription \
            identifiers, %A topic alias; \\n \\t \\0 and so on.
            """)
    var format: String?

    @Flag(name: [.customShort("N"), .customLong("no-eol")], help: "No newline behind a message.")
    var noEndOfLine = false

    @Flag(name: [.customShort("R"), .long], help: "Does not write retained messages that were there before.")
    var noRetained = false

    @Flag(help: "Ends with the first message that is not a retained one.")
    var retainedOnly = false

    @Flag(help: "MQTT 5: a message says whether it was published as a retained one.")
    var retainAsPublished = false

    @Option(help: "MQTT 5: when retained messages are sent: always, new (for a new subscription) or never.")
    var retainHandling: RetainHandlingArgument = .always

    @Flag(help: "MQTT 5: nothing that this client has published itself.")
    var noLocal = false

    @Flag(name: [.customShort("E"), .long], help: "Ends when the subscriptions are answered.")
    var exitAfterSubscribing = false

    mutating func validate() throws {
        guard QoS(rawValue: qos) != nil else { throw ValidationError("--qos is 0, 1 or 2") }
        guard !filters.isEmpty || !unsubscribe.isEmpty else { throw ValidationError("give a --topic") }
        for filter in filters + unsubscribe + filterOut where TopicFilter(filter) == nil {
            throw ValidationError("\(filter): not a topic filter: + and # fill a whole level, and # is the last one")
        }
        if let count, count < 1 { throw ValidationError("--count is at least 1") }
        if let timeout, !(timeout > 0 && timeout <= 1_000_000_000) { throw ValidationError("--timeout is above 0") }
        _ = try client.properties([.subscribe], version: version)
        if let format { do { _ = try MessageFormat(format) } catch { throw ValidationError("\(error)") } }
        guard version == .v5 || (!retainAsPublished && !noLocal && retainHandling == .always) else {
            throw ValidationError("--retain-as-published, --retain-handling and --no-local need MQTT 5: -V 5")
        }
        if noLocal, filters.contains(where: { $0.hasPrefix("$share/") }) {
            throw ValidationError("--no-local is not for shared subscriptions")
        }
    }

    private var version: ProtocolVersion { broker.version?.version ?? .v5 }
    private var filters: [String] { topic + (broker.topicOfURL.map { [$0] } ?? []) }

    mutating func run() async throws {
        ProcessLimits.openStandardStreams()
        let log = ClientLog(command: "sub", isVerbose: client.debug, isQuiet: client.quiet)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await subscribe(on: group.next(), log)
            try await group.shutdownGracefully()
        } catch let error as ClientError {
            if case .timeout = error {} else { log.error("\(error)") }
            throw error.exitCode
        }
    }

    private func subscribe(on loop: any EventLoop, _ log: ClientLog) async throws {
        let endpoint = try broker.endpoint()
        let properties = try client.properties([.subscribe], version: version)
        let packet = try client.packet(
            version: version, userName: broker.userName, password: try broker.readPassword(), properties: properties)
        let plan = plan(properties)
        let printer = try printer()
        try await loop.flatSubmit { () -> EventLoopFuture<Void> in
            let run = SubRun(plan: plan, packet: packet, printer: printer, to: endpoint, on: loop, log: log)
            let bound = NIOLoopBound(run, eventLoop: loop)
            StopSignals.wait { loop.execute { bound.value.stop(.success(())) } }
            return run.start()
        }.get()
    }

    private func plan(_ properties: PropertyArguments) -> SubPlan {
        let options = SubscriptionOptions(
            qos: QoS(rawValue: qos) ?? .atMostOnce, noLocal: noLocal, retainAsPublished: retainAsPublished,
            retainHandling: retainHandling.value)
        return SubPlan(
            filters: filters, unsubscribed: unsubscribe, options: options,
            subscriptionIdentifier: properties.subscriptionIdentifier, endsWhenSubscribed: exitAfterSubscribing,
            onlyRetained: retainedOnly, timeout: timeout.map { .milliseconds(Int64($0 * 1000)) },
            answerTimeout: .seconds(broker.connectTimeout), disconnect: DisconnectPacket(properties: properties.disconnect))
    }

    private func printer() throws(ClientError) -> MessagePrinter {
        var printer = MessagePrinter(
            isVerbose: verbose, endsLine: !noEndOfLine, skipsRetained: noRetained,
            filteredOut: filterOut.compactMap { TopicFilter($0) }, remaining: count)
        if let format { printer.format = try MessageFormat(format) }
        return printer
    }
}

/// When the broker sends retained messages.
enum RetainHandlingArgument: String, ExpressibleByArgument, CaseIterable {
    case always, new, never

    var value: SubscriptionOptions.RetainHandling {
        switch self {
        case .always: .sendAtSubscribe
        case .new: .sendIfNew
        case .never: .doNotSend
        }
    }
}
