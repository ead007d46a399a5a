import Configuration
import Core
import FieldBus
import Glibc
import MQTTCodec
import Store

/// What a box checks of itself: whether this binary can do its work on this machine.
public struct SelfTest {
    /// One check and how it ended.
    public struct Result: Sendable {
        public var name: String
        /// What was found; for a failure why.
        public var detail: String
        public var passed: Bool
    }

    let directory: String

    /// - Parameter directory: empty, for the databases of the checks.
    public init(directory: String) { self.directory = directory }

    /// Runs all checks; `report` takes each result as it comes.
    ///
    /// - Returns: whether all passed.
    public func run(_ report: (Result) -> Void) async -> Bool {
        var passed = true
        func check(_ name: String, _ body: () async throws -> String) async {
            do {
                report(Result(name: name, detail: try await body(), passed: true))
            } catch {
                passed = false
                report(Result(name: name, detail: "\(error)", passed: false))
            }
        }
        await check("store: write, fsync, read back") { try await checkStore() }
        await check("names: localhost from /etc/hosts") { try checkNames() }
        await check("TLS: a handshake in memory") { try checkTLS() }
        await check("broker and field bus: loopback MQTT and a simulated Modbus device") { try await checkAppliance() }
        return passed
    }

    private func checkStore() async throws -> String {
        let path = directory + "/store"
        let topic = "self-test/retained"
        let payload = Array("on disk".utf8)
        let storage = try Storage(directory: path, now: SystemClock.wall())
        let message = Message.create(
            topic: topic, payload: payload, qos: .atLeastOnce, retain: true, publishedAt: SystemClock.wall())
        let batch = CommitBatch(
            operations: [.putRetained(message, expiresAt: nil)],
            appends: [LaneAppend(lane: "self-test", firstSequence: 1, messages: [message])])
        let report = try await storage.commit(batch, now: .now())
        await storage.close()
        let again = try Storage(directory: path, now: SystemClock.wall())
        let snapshot = try await again.load(at: .now())
        let cached = try await again.read(lane: "self-test", from: 1, maximumCount: 10, maximumBytes: 1 << 20, now: .now())
        await again.close()
        guard snapshot.retained.map(\.payload) == [payload], cached.messages.map(\.message.topic) == [topic] else {
            throw SelfTestError("what was read back differs from what was written")
        }
        let micros = (report.cacheDuration + report.sessionsDuration).wholeNanoseconds / 1000
        return "committed in \(micros) µs"
    }

    private func checkNames() throws -> String {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo("localhost", nil, &hints, &list)
        guard code == 0, let first = list else { throw SelfTestError(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var text = [CChar](repeating: 0, count: 64)
        guard getnameinfo(first.pointee.ai_addr, first.pointee.ai_addrlen, &text, 64, nil, 0, NI_NUMERICHOST) == 0 else {
            throw SelfTestError("the address of localhost cannot be printed")
        }
        return "localhost is " + String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func checkAppliance() async throws -> String {
        let demo = try Demo(port: 0, dataDirectory: directory + "/appliance")
        defer { demo.simulator.stop() }
        var configuration = demo.configuration
        configuration.appliance.logLevel = .error
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let appliance = Appliance(
            plan: try AppliancePlan(configuration), sink: LogfmtHandler.Sink(), showsSummary: false,
            ready: { for opened in $0 { port.yield(opened) } })
        return try await withThrowingTaskGroup(of: String?.self) { tasks in
            tasks.addTask {
                defer { port.finish() }
                try await appliance.run()
                return nil
            }
            tasks.addTask {
                defer { appliance.stop() }
                for await port in ports { return try LoopbackClient.roundTrip(port: port) }
                throw SelfTestError("the broker did not start")
            }
            var detail = ""
            for try await result in tasks { if let result { detail = result } }
            return detail
        }
    }
}

struct SelfTestError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
