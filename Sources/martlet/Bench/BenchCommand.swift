import ArgumentParser
import Core
import MQTTClient
import NIOCore
import NIOPosix

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Puts load on an MQTT broker and says what arrived, how fast, and what it cost the broker.",
        discussion: """
            pairs: each publisher has a subscriber of its own. fan-in: every subscriber subscribes to each publisher's topic. \
            fan-out: all subscribers hear one topic. wild: subscribers with wildcards among many topics. shared-sub: the \
            subscribers of a group share the messages of one topic. retain: retained messages, then subscribers that get all \
            of them. durable: messages for subscribers that are away, which then come back for them. conn: connections are \
            opened and held. storm: connect, subscribe, disconnect. probe: waits for the broker and prints when it answered.

            Measured is from the first message to the last delivery, after all connections are there and each flow has \
            carried a message. The exit status is 0 if everything arrived once and in order, 3 if not, and 1 if there \
            is nothing to measure.
            """,
        helpNames: [.long])

    @Argument(help: "pairs, fan-in, fan-out, wild, shared-sub, retain, durable, conn, storm or probe.")
    var scenario: Scenario

    @OptionGroup(title: "Broker")
    var broker: BrokerOptions

    @OptionGroup(title: "Load")
    var load: LoadOptions

    @Option(help: "The broker's process, to measure its processor time and memory.")
    var brokerPid: Int32?

    @Flag(help: "Prints one line of JSON.")
    var json = false

    mutating func validate() throws { _ = try load.plan(scenario) }

    mutating func run() async throws {
        ProcessLimits.openStandardStreams()
        ProcessLimits.raiseOpenFiles()
        do {
            var plan = try load.plan(scenario)
            plan.brokerProcess = brokerPid
            plan.userName = broker.userName
            plan.password = try broker.readPassword()
            if let version = broker.version { plan.version = version.version }
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let status = try await run(plan, on: group.next())
            try await group.shutdownGracefully()
            if status != .success { throw status }
        } catch let error as ClientError {
            complain("\(error)")
            throw error.exitCode
        } catch let error as BenchError {
            complain("\(error)")
            throw ExitCode(1)
        }
    }

    private func run(_ plan: LoadPlan, on loop: any EventLoop) async throws -> ExitCode {
        var endpoint = try broker.endpoint()
        if case .host(let name, let port) = endpoint.address {
            do {
                endpoint.address = .socket(try SocketAddress.makeAddressResolvingHost(name, port: port))
            } catch {
                throw BenchError.cannotConnect("\(name):\(port): \(error)")
            }
        }
        endpoint.receiveBuffer = 2048
        endpoint.writeBuffer = 64 * 1024
        let (to, load) = (endpoint, load)
        switch plan.scenario {
        case .probe:
            let timeout = Duration.seconds(load.wait)
            let moment = try await loop.flatSubmit { ProbeRun(plan: plan, timeout: timeout, to: to, on: loop).start() }.get()
            Console.print(Decimals.text(Double(moment.milliseconds) / 1000, digits: 3))
            return .success
        case .conn:
            let hold = TimeAmount.milliseconds(Int64(load.hold * 1000))
            return report(
                try await loop.flatSubmit {
                    IdleRun(plan: plan, connections: load.connections, hold: hold, to: to, on: loop).start()
                }.get())
        case .storm:
            return report(
                try await loop.flatSubmit {
                    StormRun(plan: plan, connections: load.connections, to: to, on: loop).start()
                }.get())
        default:
            return report(try await loop.flatSubmit { LoadRun(plan: plan, to: to, on: loop).start() }.get(), plan)
        }
    }

    private func report(_ outcome: ConnectionOutcome) -> ExitCode {
        Console.print(json ? outcome.json : outcome.table)
        if outcome.lost > 0 { complain("\(outcome.lost) connections were ended by the broker or did not come about") }
        return outcome.lost == 0 ? .success : ExitCode(3)
    }

    private func report(_ outcome: LoadOutcome, _ plan: LoadPlan) -> ExitCode {
        Console.print(json ? outcome.json(plan) : outcome.table(plan))
        if let interruption = outcome.interruption { complain(interruption) }
        if outcome.strange > 0 { complain("\(outcome.strange) messages arrived that were not sent to their receiver") }
        return outcome.isFaultless ? .success : ExitCode(3)
    }

    private func complain(_ text: String) { Console.error("martlet bench: \(text)") }
}
