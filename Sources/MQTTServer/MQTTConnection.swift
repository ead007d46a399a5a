import Broker
import Core
import Logging
import MQTTCodec
import NIOCore
import Security

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
        /// Who sent the CONNECT is being found out; see ``authentication``.
        case authenticating
        case connected
        /// Refused or ended: what arrives is ignored.
        case closed
    }

    /// Reasons to take nothing more from a client for a while.
    struct Pauses: OptionSet {
        let rawValue: UInt8
        /// Who it is has to be found out.
        static let login = Pauses(rawValue: 1)
        /// It publishes faster than it may.
        static let rate = Pauses(rawValue: 2)
        /// It publishes faster than the disk takes.
        static let disk = Pauses(rawValue: 4)
    }

    let shared: ServerContext
    let listener: OpenListener
    /// As they were when the client came; who it may be is for those of now, ``OpenListener/settings``.
    let settings: ListenerSettings
    /// Where it waits as long as it has not sent CONNECT.
    var connectPlace: ConnectQueue.Place?
    var phase = Phase.awaitingConnect
    var context: ChannelHandlerContext?
    /// The start of a packet whose rest has not come.
    private(set) var partial: ByteBuffer?
    /// Expiry and other properties make a run that is not contiguous in the packet; it is put together here.
    var scratch: [UInt8] = []
    /// Topics that the client has given a number (MQTT 5.0 §3.3.2.3.4), [MQTT-3.3.2-7] for this connection only.
    var aliases: [UInt16: [UInt8]] = [:]
    /// Those that this server has given to topics; nil if the client takes none.
    var topicAliases: TopicAliases?
    /// Encoded in this turn and not yet written; without memory between two turns.
    var output = ByteBuffer()
    /// The connection ends after ``output``.
    private(set) var endsAfterOutput = false
    /// Whether the channel takes more.
    private(set) var isWritable = false
    /// Whether the channel is set up for a connection on which much is sent; see ``expectMuch()``.
    private(set) var expectsMuch = false
    var closingIsTimed = false
    /// The attempt that is under way: while ``phase`` is `authenticating`, or later for a re-authentication.
    var authentication: Authentication?
    /// Where it waits as long as its login has not been answered.
    var authenticationPlace: ConnectQueue.Place?
    /// Where the client is: the other end of the connection, or what a proxy there says. nil before that is known.
    private(set) var source: SocketAddress?
    /// Where it counts as one of the connections from there; nil where nobody counts.
    private var countedAddress: NetworkAddress?
    /// nil if it may publish as fast as it can.
    var meter: PublishMeter?
    /// Why nothing more is taken from the client until ``resume(_:)``; what has come is held.
    private(set) var pauses: Pauses = []
    var isPaused: Bool { !pauses.isEmpty }
    private var isProcessing = false
    /// The channel asked to read on while ``isBackedUp`` or ``isPaused``.
    private var isReadHeld = false

    init(listener: OpenListener) {
        shared = listener.shared
        self.listener = listener
        settings = listener.settings
        super.init()
    }

    override var maximumInboundPacketSize: Int { settings.maximumPacketSize }

    override var peerAddress: String? { source?.endpoint }

    override func anonymousIdentity() -> ClientIdentity? {
        ClientIdentity(
            principal: .anonymous,
            credentials: Credentials(
                listener: listener.settings.name, address: networkAddress, clientIdentifier: session?.clientIdentifier ?? "",
                version: version))
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isWritable = context.channel.isActive && context.channel.isWritable
        listener.connectionOpened()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        isWritable = false
        connectIsSettled()
        listener.connectionClosed()
    }

    func channelActive(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if case .network = listener.place, context.channel.remoteAddress == nil {
            // It was reset before it was accepted: nobody could say from where it comes.
            return end()
        }
        // What a proxy says comes with its first bytes.
        if !settings.hasProxy, !comes(from: context.channel.remoteAddress) { return }
        listener.expectConnect(self, now: SystemClock.monotonic())
        context.fireChannelActive()
    }

    /// It is known where the client is.
    ///
    /// - Returns: false if there are too many from there, and the connection ends.
    func comes(from address: SocketAddress?) -> Bool {
        source = address
        guard let access = shared.access, access.countsAddresses, let address = networkAddress else { return true }
        guard access.admission.opened(from: address) else {
            log(.info, "closed a connection: there are as many from its address as there may be")
            end()
            return false
        }
        countedAddress = address
        return true
    }

    func channelInactive(context: ChannelHandlerContext) {
        isWritable = false
        connectIsSettled()
        endAuthentication()
        if let countedAddress { shared.access?.admission.closed(from: countedAddress) }
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
        // Of a handshake that fails the operator has to know why; connections break every day.
        log(error is TLSError ? .notice : .debug, "connection failed", "\(error)")
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isActive && context.channel.isWritable
        if isWritable, !outbox.isEmpty {
            flush()
            shared.broker.outboxWritten(of: self, now: SystemClock.monotonic())
            shared.turn()
        }
        readOn(context)
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        // What a client sends is answered: one that does not take the answers is not read any further.
        if isBackedUp || isPaused { isReadHeld = true } else { context.read() }
    }

    private func readOn(_ context: ChannelHandlerContext) {
        guard isReadHeld, !isBackedUp, !isPaused else { return }
        isReadHeld = false
        context.read()
    }

    /// Whether the client leaves so much unread that more would pile up without a bound.
    private var isBackedUp: Bool {
        // Answers that wait for the disk pile up without the client's doing; there are no more of them than it may have.
        if waitingAnswers >= ServerContext.maximumBackedUp + Int(shared.broker.limits.receiveMaximum) { return true }
        return !isWritable
            && (outbox.count >= ServerContext.maximumBackedUp || outboxBytes > shared.broker.limits.maximumOutboxBytes)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closed = phase { return }
        var buffer = unwrapInboundIn(data)
        if buffer.readableBytes >= MQTTConnection.muchRead, !expectsMuch { expectMuch() }
        shared.traffic.bytesReceived &+= UInt64(buffer.readableBytes)
        guard var begun = partial else { return take(buffer, isContinued: false) }
        partial = nil
        if let missing = MQTTConnection.missing(of: begun), var end = buffer.readSlice(length: missing) {
            // Only what its packet lacks is copied to it: what follows is taken where it lies.
            begun.writeBuffer(&end)
            take(begun, isContinued: true)
            if buffer.readableBytes == 0 || isEnded { return }
            guard let held = partial else { return take(buffer, isContinued: false) }
            // It was the last that is taken for a while.
            begun = held
            partial = nil
        }
        begun.writeBuffer(&buffer)
        take(begun, isContinued: true)
    }

    /// Bytes of one read, and of one write, that show a connection to be busy.
    private static var muchRead: Int { 512 }
    static var muchWritten: Int { 16 * 1024 }

    /// Sets the channel up for more than a few packets now and then: large writes stay in one piece, and others have their
    /// turn after each read. Most connections never need it.
    func expectMuch() {
        expectsMuch = true
        guard let options = context?.channel.syncOptions else { return }
        // A channel that is closed needs them no more.
        try? options.setOption(.maxMessagesPerRead, value: 1)
        try? options.setOption(
            .writeBufferWaterMark, value: ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1024, high: 256 * 1024))
    }

    /// How many bytes the packet lacks that has begun; nil if that is not known, or it lacks none.
    private static func missing(of begun: ByteBuffer) -> Int? {
        guard let length = begun.withUnsafeReadableBytes({ FrameReader.totalLength($0) }), length > begun.readableBytes
        else { return nil }
        return length - begun.readableBytes
    }

    func pause(_ reason: Pauses) { pauses.insert(reason) }

    /// Goes on with what was held after a pause. Within the handling of a packet, that goes on by itself.
    func resume(_ reason: Pauses) {
        pauses.remove(reason)
        guard !isProcessing, !isPaused else { return }
        if case .closed = phase { return }
        if let held = partial {
            partial = nil
            take(held, isContinued: false)
        }
        if let context { readOn(context) }
    }

    private func take(_ buffer: ByteBuffer, isContinued: Bool) {
        var buffer = buffer
        let now = SystemClock.monotonic()
        isProcessing = true
        let consumed = buffer.withUnsafeReadableBytes { process($0, now: now) }
        isProcessing = false
        if isPaused, buffer.readableBytes - consumed > ServerContext.maximumHeld {
            // Reading is held; so much can only have been on its way in another handler.
            log(.notice, "closed a connection that sent too much while it had to wait")
            end()
        }
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
    override func flush() {
        writeOutbox()
        if isReadHeld, let context { readOn(context) }
    }

    override func goOn() { resume(.disk) }

    override func deliver(_ publication: inout Publication, _ delivery: Delivery) {
        // What has another name for the client goes through the outbox.
        if isDirect, settings.topicPrefix == nil {
            encode(&publication, delivery)
        } else {
            super.deliver(&publication, delivery)
        }
    }

    override func send(_ outbound: Outbound) {
        // The end of the connection comes after the last write: `writeOutbox` finds it in the outbox.
        if case .disconnect = outbound { return super.send(outbound) }
        if !isDirect { super.send(outbound) } else if encode(outbound) { endsAfterOutput = true }
    }

    // MARK: End

    /// Closes the channel; what arrives from here on is ignored.
    func end() {
        phase = .closed
        context?.close(promise: nil)
    }

    /// The CONNECT has come, or never will.
    func connectIsSettled() { listener.connectIsSettled(self) }

    /// A message as the client names it; nil if it has no name for it.
    @inline(__always)
    func named(_ message: Message) -> Message? {
        guard let prefix = settings.topicPrefix else { return message }
        return listener.message(message, without: prefix)
    }

    func dropUnconnected() {
        log(.info, "closed a connection that sent no CONNECT")
        end()
    }
}
