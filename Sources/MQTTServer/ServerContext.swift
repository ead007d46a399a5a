public import Broker
public import Core
public import Logging
public import NIOCore

/// What all connections of one event loop share.
///
/// Belongs to ``eventLoop``.
public final class ServerContext {
    public let eventLoop: any EventLoop
    public let broker: Broker
    let logger: Logger
    /// Called when the broker may have something to flush or to commit; the turn's owner coalesces the calls.
    private let scheduleTurn: () -> Void
    public internal(set) var traffic = Traffic()
    /// Connections that are open.
    public private(set) var openConnections = 0
    /// Open connections by listener.
    public private(set) var connections: [String: Int] = [:]
    /// Output buffers that nobody uses now.
    private var spares: [ByteBuffer] = []
    private var spareBytes = 0
    /// Connections that have not sent CONNECT.
    private var unconnected: [ObjectIdentifier: (deadline: MonotonicTime, connection: MQTTConnection)] = [:]

    /// Time that a client has from the connection to its CONNECT.
    static let connectTimeout = Duration.seconds(10)
    /// Connections that may be without CONNECT at once; with one more the one that has waited longest is closed.
    static let maximumUnconnected = 2_000
    /// Bytes of the largest CONNECT taken: all its fields of 64 KiB fit.
    static let maximumConnectSize = 512 * 1024
    /// A connection's output is written in pieces of about this many bytes.
    static let outputChunk = 128 * 1024
    /// Bytes of the output buffer that a connection begins with.
    static let smallestBuffer = 2048
    /// Bytes of output buffers that are kept for the next turn.
    static let maximumSpareBytes = 2 << 20
    /// A client that takes nothing is not read from while so many packets wait for it. It is our Receive Maximum: a client
    /// that keeps to it does not come here by its own messages.
    static let maximumBackedUp = 1_000

    public init(eventLoop: any EventLoop, broker: Broker, logger: Logger, scheduleTurn: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.broker = broker
        self.logger = logger
        self.scheduleTurn = scheduleTurn
    }

    func turn() { scheduleTurn() }

    func takeBuffer() -> ByteBuffer {
        guard var buffer = spares.popLast() else { return ByteBufferAllocator().buffer(capacity: ServerContext.smallestBuffer) }
        spareBytes -= buffer.capacity
        buffer.clear()
        return buffer
    }

    /// Keeps a buffer for the next connection that writes. If its bytes are still being written, `clear` leaves them to the
    /// channel and takes new memory.
    func giveBack(_ buffer: ByteBuffer) {
        guard buffer.capacity <= 2 * ServerContext.outputChunk, spareBytes + buffer.capacity <= ServerContext.maximumSpareBytes
        else { return }
        spareBytes += buffer.capacity
        spares.append(buffer)
    }

    /// A connection of a listener is open.
    func opened(_ listener: String) {
        traffic.accepted &+= 1
        openConnections += 1
        connections[listener, default: 0] += 1
    }

    /// It is open no more.
    func closed(_ listener: String) {
        openConnections -= 1
        connections[listener, default: 1] -= 1
    }

    /// A connection is there and has to send CONNECT in time.
    func expectConnect(_ connection: MQTTConnection, now: MonotonicTime) {
        if unconnected.count >= ServerContext.maximumUnconnected,
            let oldest = unconnected.values.min(by: { $0.deadline < $1.deadline })
        {
            drop(oldest.connection)
        }
        unconnected[ObjectIdentifier(connection)] = (now + ServerContext.connectTimeout, connection)
    }

    /// The CONNECT has come, or never will.
    func connectIsSettled(_ connection: MQTTConnection) { unconnected[ObjectIdentifier(connection)] = nil }

    /// To be called about once a second: closes the connections that never sent CONNECT.
    public func tick(now: MonotonicTime) {
        for (deadline, connection) in unconnected.values where deadline <= now { drop(connection) }
    }

    /// Closes those of a port that is gone.
    func dropUnconnected(of port: any Channel) {
        for (_, connection) in unconnected.values where connection.came(through: port) { drop(connection) }
    }

    private func drop(_ connection: MQTTConnection) {
        connectIsSettled(connection)
        connection.dropUnconnected()
    }
}
