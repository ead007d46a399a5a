import Configuration
import Core
import FieldBus
import Glibc
import Testing

@testable import Appliance

/// The whole of it, on ports that the system chooses.
@Suite("The appliance")
struct ApplianceTests {
    private let directory: TemporaryDirectory
    private let sink: LogfmtHandler.Sink

    init() throws {
        directory = try TemporaryDirectory()
        sink = LogfmtHandler.Sink(descriptor: try directory.open("log"))
    }

    private func configuration(port: Int = 0) -> MartletConfiguration {
        var configuration = MartletConfiguration()
        configuration.appliance.dataDirectory = directory.path + "/data"
        configuration.listeners[0].port = port
        return configuration
    }

    /// Runs an appliance while `body` looks at it, then stops it and waits for its end.
    private func run(_ configuration: MartletConfiguration, _ body: (_ port: Int) async throws -> Void) async throws {
        let (ready, signal) = AsyncStream.makeStream(of: [Int].self)
        let appliance = Appliance(
            plan: try AppliancePlan(configuration), sink: sink, showsSummary: false,
            ready: {
                signal.yield($0)
                signal.finish()
            })
        let running = Task {
            // Whatever ends it, nobody waits for it to be ready any more.
            defer { signal.finish() }
            try await appliance.run()
        }
        var iterator = ready.makeAsyncIterator()
        let ports = await iterator.next()
        if let port = ports?.first { try await body(port) }
        appliance.stop()
        try await running.value
        #expect(ports?.count == 1)
    }

    @Test("it opens its ports, and stop() ends it", .timeLimit(.minutes(1)))
    func startAndStop() async throws {
        try await run(configuration()) { port in
            #expect(1...65_535 ~= port)
            #expect(LocalPort.isOpen(port))
            #expect(access(directory.path + "/data/sessions.db", F_OK) == 0)
        }
        let log = directory.lines(of: "log")
        #expect(log.contains { $0.contains("level=notice component=appliance msg=running") })
        #expect(log.last?.hasSuffix("component=appliance msg=stopped") == true)
    }

    @Test("it can be started again where it was stopped", .timeLimit(.minutes(1)))
    func again() async throws {
        for _ in 0..<2 { try await run(configuration()) { #expect(LocalPort.isOpen($0)) } }
    }

    @Test("a port that is taken is an error that names the listener", .timeLimit(.minutes(1)))
    func portTaken() async throws {
        try await run(configuration()) { port in
            var second = configuration(port: port)
            second.appliance.dataDirectory = directory.path + "/second"
            let error = await #expect(throws: ApplianceError.self) { try await run(second) { _ in } }
            #expect(error?.description == "listener \"local\": 127.0.0.1:\(port) is taken by another process (see ss -ltnp)")
        }
    }

    @Test("a data directory that is in use is an error", .timeLimit(.minutes(1)))
    func directoryInUse() async throws {
        try await run(configuration()) { _ in
            let error = await #expect(throws: ApplianceError.self) { try await run(configuration()) { _ in } }
            #expect(error?.description.contains(directory.path + "/data") == true)
        }
    }

    @Test("the demo polls its simulated device", .timeLimit(.minutes(1)))
    func demo() async throws {
        let demo = try Demo(port: 0, dataDirectory: directory.path + "/data")
        defer { demo.simulator.stop() }
        try await run(demo.configuration) { port in
            // The client blocks, so it has a thread of its own.
            let found = try await withCheckedThrowingContinuation { continuation in
                DetachedThread.start(name: "client") {
                    continuation.resume(with: Result { try LoopbackClient.roundTrip(port: port) })
                }
            }
            #expect(found.hasPrefix("echo after "))
        }
    }
}

enum LocalPort {
    /// Whether something on the loopback interface accepts connections there.
    static func isOpen(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
