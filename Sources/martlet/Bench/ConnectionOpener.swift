import Core
import MQTTClient
import NIOCore

/// Opens connections, a bounded number of them at a time, until all are ready.
///
/// Belongs to the event loop.
final class ConnectionOpener {
    /// Time in which at least one connection has to become ready.
    static let timeout = Duration.seconds(10)

    private let loop: any EventLoop
    private let endpoint: ClientEndpoint
    private let connections: [LoadConnection]
    private let maximumPending: Int
    private var completion: ((Result<Void, BenchError>) -> Void)?
    private var next = 0
    private var ready = 0
    private var lastProgress: MonotonicTime
    /// From the start of a connection until it was ready.
    private(set) var latency = LatencyHistogram()

    /// - Parameters:
    ///   - maximumPending: connections that are being opened at once.
    ///   - completion: called once. After a failure the connections are still to be closed.
    init(
        _ connections: [LoadConnection], to endpoint: ClientEndpoint, maximumPending: Int, on loop: any EventLoop,
        completion: @escaping (Result<Void, BenchError>) -> Void
    ) {
        self.connections = connections
        self.endpoint = endpoint
        self.maximumPending = maximumPending
        self.loop = loop
        self.completion = completion
        lastProgress = SystemClock.monotonic()
    }

    func start() {
        if connections.isEmpty { return complete(.success(())) }
        openMore()
        watch()
    }

    private func openMore() {
        while completion != nil, next < connections.count, next - ready < maximumPending {
            let connection = connections[next]
            next += 1
            connection.onReady = { [self, unowned connection] in becameReady(connection) }
            connection.onEnd = { [self] reason in complete(.failure(.cannotConnect(reason))) }
            connection.openedAt = SystemClock.monotonic()
            endpoint.connect(connection, on: loop).assumeIsolated().whenFailure { [self] error in
                complete(.failure(.cannotConnect(ClientEndpoint.text(error))))
            }
        }
    }

    private func becameReady(_ connection: LoadConnection) {
        ready += 1
        lastProgress = SystemClock.monotonic()
        latency.record((lastProgress - connection.openedAt).wholeNanoseconds)
        if ready == connections.count { complete(.success(())) } else { openMore() }
    }

    private func watch() {
        guard completion != nil else { return }
        if SystemClock.monotonic() - lastProgress > ConnectionOpener.timeout {
            let connected = "\(ready) of \(connections.count) are connected"
            let silence = "the broker has not answered for \(ConnectionOpener.timeout)"
            return complete(.failure(.cannotConnect("\(silence); \(connected)")))
        }
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [self] in watch() }
    }

    private func complete(_ result: Result<Void, BenchError>) {
        let notify = completion
        completion = nil
        notify?(result)
    }
}
