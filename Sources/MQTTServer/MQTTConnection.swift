import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

/// One network client: reads packets in place from what the channel received, gives them to the broker, and writes what
/// the broker put into the outbox, all of it in one write per batch.
///
/// Belongs to the channel's event loop, which is the broker's.
final class MQTTConnection: Client, ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case awaitingConnect
        case connected
        /// Refused or ended: what arrives is ignored.
        case closed
    }

    let shared: ServerContext
    private let listener: String
    var phase = Phase.awaitingConnect
    var context: ChannelHandlerContext?
    /// The start of a packet whose rest has not come.
    private(set) var partial: ByteBuffer?
    /// Expiry and other properties make a run that is not contiguous in the packet; it is put together here.
    var scratch: [UInt8] = []
    /// Topics that the client has given a number (MQTT 5.0 §3.3.2.3.4).
    var aliases: [UInt16: [UInt8]] = [:]
    /// Those that this server has given to topics; nil if the client takes none.
    var topicAliases: TopicAliases?
    /// Encoded in this turn and not yet written; without memory between two turns.
    var output = ByteBuffer()
    /// The connection ends after ``output``.
    private(set) var endsAfterOutput = false
    /// Whether the channel takes more.
    private(set) var isWritable = false
    var closingIsTimed = false
    /// The channel asked to read on while ``isBackedUp``.
    private var isReadHeld = false

    init(shared: ServerContext, listener: String) {
        self.shared = shared
        self.listener = listener
        super.init()
    }

    override var peerAddress: String? {
        guard let address = context?.channel.remoteAddress, let host = address.ipAddress, let port = address.port else { return nil }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isWritable = context.channel.isActive && context.channel.isWritable
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        isWritable = false
    }

    func channelActive(context: ChannelHandlerContext) {
        shared.opened(listener)
        isWritable = context.channel.isWritable
        shared.expectConnect(self, now: SystemClock.monotonic())
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        shared.closed(listener)
        isWritable = false
        shared.connectIsSettled(self)
        if session != nil {
            log(.info, "connection lost")
            shared.broker.connectionLost(self, now: SystemClock.monotonic(), wall: SystemClock.wall())
            shared.turn()
        }
        phase = .closed
        partial = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        log(.debug, "connection failed", "\(error)")
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isActive && context.channel.isWritable
        if isWritable, !outbox.isEmpty { flush() }
        if isReadHeld, !isBackedUp {
            isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        // What a client sends is answered: one that does not take the answers is not read any further.
        if isBackedUp { isReadHeld = true } else { context.read() }
    }

    /// Whether the client leaves so much unread that more would pile up without a bound.
    private var isBackedUp: Bool {
        !isWritable && outbox.count >= ServerContext.maximumBackedUp
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closed = phase { return }
        var buffer = unwrapInboundIn(data)
        shared.traffic.bytesReceived &+= UInt64(buffer.readableBytes)
        let isContinued = partial != nil
        if var begun = partial {
            partial = nil
            begun.writeBuffer(&buffer)
            buffer = begun
        }
        let now = SystemClock.monotonic()
        let consumed = buffer.withUnsafeReadableBytes { process($0, now: now) }
        if case .closed = phase {
            shared.turn()
            return
        }
        if consumed == 0, isContinued {
            // Still the same packet, in a buffer that grows by doubling: drip-fed bytes are not copied again and again.
            partial = buffer
        } else if consumed < buffer.readableBytes {
            // A slice would keep the whole receive buffer alive; what is left is usually small.
            buffer.moveReaderIndex(forwardBy: consumed)
            var rest = ByteBuffer()
            rest.reserveCapacity(max(buffer.readableBytes, 512))
            rest.writeBuffer(&buffer)
            partial = rest
        }
        shared.turn()
    }

    /// Writes what there is, as the broker asks once per batch.
    override func flush() { writeOutbox() }

    override func deliver(_ publication: inout Publication, _ delivery: Delivery) {
        if isDirect { encode(&publication, delivery) } else { super.deliver(&publication, delivery) }
    }

    override func send(_ outbound: Outbound) {
        // The end of the connection comes after the last write: `writeOutbox` finds it in the outbox.
        if case .disconnect = outbound { return super.send(outbound) }
        if !isDirect { super.send(outbound) } else if encode(outbound) { endsAfterOutput = true }
    }

    // MARK: End and log

    /// Closes the channel; what arrives from here on is ignored.
    func end() {
        phase = .closed
        context?.close(promise: nil)
    }

    func dropUnconnected() {
        log(.info, "closed a connection that sent no CONNECT")
        end()
    }

    func log(_ level: Logger.Level, _ message: StaticString, _ detail: @autoclosure () -> String = "") {
        guard shared.logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = ["listener": "\(listener)"]
        if let address = context?.channel.remoteAddress { metadata["peer"] = "\(address)" }
        if let session { metadata["client"] = "\(session.clientIdentifier)" }
        let detail = detail()
        if !detail.isEmpty { metadata["detail"] = "\(detail)" }
        shared.logger.log(level: level, "\(message)", metadata: metadata)
    }
}
