import ArgumentParser
import Core
import MQTTClient
import MQTTCodec
import NIOCore
import NIOPosix

struct PubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publishes messages to an MQTT broker.",
        discussion: """
            The options are those of mosquitto_pub where it has them. The exit status is 0 when the broker has acknowledged \
            everything (with QoS 0: when everything is sent), 1 when there is no connection or it was lost, 5 when the broker \
            refuses the connection or a message, and 64 when the options cannot be used.
            """,
        helpNames: [.long])

    @OptionGroup(title: "Broker")
    var broker: BrokerOptions

    @OptionGroup(title: "Client")
    var client: ClientOptions

    @Option(name: [.customShort("t"), .long], parsing: .unconditional, help: "The topic.")
    var topic: String?

    @Option(name: [.customShort("m"), .long], parsing: .unconditional, help: "The message.")
    var message: String?

    @Option(name: [.customShort("f"), .long], help: "A file whose content is the message.")
    var file: String?

    @Flag(name: [.customShort("s"), .customLong("stdin-file")], help: "The standard input is the message.")
    var readsInput = false

    @Flag(name: [.customShort("l"), .customLong("stdin-line")], help: "Each line of the standard input is a message.")
    var readsLines = false

    @Flag(name: [.customShort("n"), .customLong("null-message")], help: "An empty message.")
    var isEmpty = false

    @Option(name: [.customShort("q"), .long], help: "Quality of service: 0, 1 or 2.")
    var qos: UInt8 = 0

    @Flag(name: [.customShort("r"), .long], help: "The broker keeps the message for those who subscribe later.")
    var retain = false

    @Option(help: "Publishes the message so many times.")
    var `repeat` = 1

    @Option(help: "Seconds between these times.")
    var repeatDelay = 0.0

    mutating func validate() throws {
        guard QoS(rawValue: qos) != nil else { throw ValidationError("--qos is 0, 1 or 2") }
        guard [message != nil, file != nil, readsInput, readsLines, isEmpty].count(where: { $0 }) == 1 else {
            throw ValidationError("give one of --message, --file, --stdin-file, --stdin-line and --null-message")
        }
        guard let topic = topic ?? broker.topicOfURL else { throw ValidationError("give a --topic") }
        guard topic.utf8.count <= 65_535, TopicName(topic) != nil else {
            throw ValidationError("--topic \(topic): a topic to publish to is not empty and has no + and no #")
        }
        guard (1...1_000_000_000).contains(`repeat`) else { throw ValidationError("--repeat is 1…1000000000") }
        guard (0...86_400).contains(repeatDelay) else { throw ValidationError("--repeat-delay is 0…86400") }
        guard `repeat` == 1 || !readsLines else { throw ValidationError("--repeat is not for --stdin-line") }
        _ = try client.properties([.publish], version: version)
    }

    private var version: ProtocolVersion { broker.version?.version ?? .v5 }

    mutating func run() async throws {
        ProcessLimits.openStandardStreams()
        let log = ClientLog(command: "pub", isVerbose: client.debug, isQuiet: client.quiet)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await publish(on: group.next(), log)
            try await group.shutdownGracefully()
        } catch let error as ClientError {
            log.error("\(error)")
            throw error.exitCode
        }
    }

    private func publish(on loop: any EventLoop, _ log: ClientLog) async throws {
        let endpoint = try broker.endpoint()
        let properties = try client.properties([.publish], version: version)
        let packet = try client.packet(
            version: version, userName: broker.userName, password: try broker.readPassword(), properties: properties)
        let plan = try plan(properties)
        let content = try content()
        let timeout = Duration.seconds(broker.connectTimeout)
        try await loop.flatSubmit { () -> EventLoopFuture<Void> in
            let promise = loop.makePromise(of: Void.self)
            let connection = PubConnection(
                packet: packet, answerTimeout: timeout, plan: plan, source: MessageSource(content, on: loop),
                log: log.note, completion: { promise.completeWith($0.mapError { $0 as any Error }) })
            endpoint.connect(connection, on: loop).whenFailure {
                promise.fail(ClientError.connection(.unreachable(ClientEndpoint.text($0))))
            }
            return promise.futureResult
        }.get()
    }

    private func plan(_ properties: PropertyArguments) throws(ClientError) -> PubPlan {
        var plan = PubPlan(
            topic: topic ?? broker.topicOfURL ?? "", qos: QoS(rawValue: qos) ?? .atMostOnce, retain: retain,
            messageExpiryInterval: properties.messageExpiryInterval, topicAlias: properties.topicAlias,
            window: client.maxInflight, disconnect: DisconnectPacket(properties: properties.disconnect))
        do throws(EncodeError) {
            plan.properties = try properties.message.encoded()
        } catch {
            throw .usage("a property of the message is longer than 65535 bytes")
        }
        return plan
    }

    private func content() throws(ClientError) -> MessageSource.Content {
        if readsLines { return .lines }
        let limit = FrameReader.maximumRemainingLength
        let bytes: [UInt8]
        if let message {
            bytes = Array(message.utf8)
        } else if let file {
            bytes = try FileContent.read(file, limit: limit)
        } else if readsInput {
            bytes = try FileContent.readStandardInput(limit: limit)
        } else {
            bytes = []
        }
        return .repeated(bytes, count: `repeat`, pause: .milliseconds(Int64(repeatDelay * 1000)))
    }
}
