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
    /// Who may connect; nil if everybody may.
    public var access: AccessControl?
    public internal(set) var traffic = Traffic()
    var refusalLog = RefusalLog()
    /// Those that are open, or have connections yet.
    public private(set) var listeners: [OpenListener] = []
    /// Output buffers that nobody uses now.
    private var spares: [ByteBuffer] = []
    private var spareBytes = 0
    private var spareInput = ByteBuffer()
    private var spareName: [UInt8] = []

    /// Bytes of the largest CONNECT taken: all its fields of 64 KiB fit.
    static let maximumConnectSize = 512 * 1024
    /// Bytes that may have come from a client which is not read from now.
    static let maximumHeld = 1 << 20
    /// A connection's output is written in pieces of about this many bytes.
    static let outputChunk = 256 * 1024
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

    /// Room for what is taken out of the frames of one read; see ``giveBack(input:)``.
    func takeInput() -> ByteBuffer {
        var buffer = ByteBuffer()
        swap(&buffer, &spareInput)
        buffer.clear()
        return buffer
    }

    func giveBack(input: ByteBuffer) {
        if input.capacity <= ServerContext.outputChunk { spareInput = input }
    }

    /// Room for a topic name that is put together; see ``giveBack(name:)``.
    func takeName() -> [UInt8] {
        var name: [UInt8] = []
        swap(&name, &spareName)
        return name
    }

    func giveBack(name: [UInt8]) { spareName = name }

    // MARK: Listeners

    func add(_ listener: OpenListener) {
        if !listeners.contains(where: { $0 === listener }) { listeners.append(listener) }
    }

    public func listener(at place: Listener.Place) -> OpenListener? {
        listeners.first { $0.isOpen && $0.place.description == place.description }
    }

    /// Connections that are open.
    public var openConnections: Int { listeners.reduce(0) { $0 + $1.connectionCount } }

    /// Open connections by listener.
    public var connections: [String: Int] {
        Dictionary(listeners.map { ($0.settings.name, $0.connectionCount) }, uniquingKeysWith: +)
    }

    /// To be called about once a second: closes the connections that never sent CONNECT.
    public func tick(now: MonotonicTime) {
        for listener in listeners { listener.tick(now: now) }
        listeners.removeAll { !$0.isOpen && $0.connectionCount == 0 }
        access?.tick(now: now)
        for summary in refusalLog.takeSummaries(now: now) { log(summary) }
    }

    private func log(_ summary: RefusalLog.Summary) {
        guard let line = summary.line else {
            logger.notice("refused connections, of many kinds", metadata: ["count": "\(summary.count)"])
            return
        }
        var metadata: Logger.Metadata = [
            "count": "\(summary.count)", "what": "\(line.message)", "listener": "\(line.listener)",
        ]
        if let cause = line.cause, !cause.isEmpty { metadata["detail"] = "\(cause)" }
        if let site = line.site { metadata["from"] = "\(site)" }
        logger.notice("the same again", metadata: metadata)
    }
}
