import Core
import NIOCore
import NIOPosix

/// Opens connections, a bounded number of them at a time, until all are ready.
///
/// Belongs to the event loop.
final class ConnectionOpener {
    /// Connections that are being opened at once.
    static let maximumPending = 64
    /// Time in which at least one connection has to become ready.
    static let timeout = Duration.seconds(10)

    private let loop: any EventLoop
    private let address: SocketAddress
    private let connections: [LoadConnection]
    private var completion: ((Result<Void, BenchError>) -> Void)?
    private var next = 0
    private var ready = 0
    private var lastProgress: MonotonicTime

    /// - Parameter completion: called once. After a failure the connections are still to be closed.
    init(
        _ connections: [LoadConnection], to address: SocketAddress, on loop: any EventLoop,
        completion: @escaping (Result<Void, BenchError>) -> Void
    ) {
        self.connections = connections
        self.address = address
        self.loop = loop
        self.completion = completion
        lastProgress = SystemClock.monotonic()
    }

    func start() {
        openMore()
        watch()
    }

    private func openMore() {
        while completion != nil, next < connections.count, next - ready < ConnectionOpener.maximumPending {
            let connection = connections[next]
            next += 1
            connection.onReady = { [self] in becameReady() }
            connection.onEnd = { [self] reason in complete(.failure(.cannotConnect(reason))) }
            open(connection)
        }
    }

    private func open(_ connection: LoadConnection) {
        let bound = NIOLoopBound(connection, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(ChannelOptions.maxMessagesPerRead, value: 1)
            .channelOption(
                ChannelOptions.recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 65_536)
            )
            .connectTimeout(.nanoseconds(ConnectionOpener.timeout.wholeNanoseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(to: address)
            .assumeIsolated()
            .whenFailure { [self] error in complete(.failure(.cannotConnect("\(error)"))) }
    }

    private func becameReady() {
        ready += 1
        lastProgress = SystemClock.monotonic()
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
