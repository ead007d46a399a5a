import Core
import Logging
import NIOCore
public import Security

/// A listener that is open: its settings of now, and its connections.
///
/// Belongs to the server's event loop.
public final class OpenListener {
    public private(set) var place: Listener.Place
    /// The port, or the socket; nil before it is there.
    var channel: (any Channel)?
    /// What the next connections get; those that are there keep what they came with.
    public private(set) var settings: ListenerSettings
    /// What the next connections do their handshakes with; nil without TLS.
    public private(set) var tls: TLSContext?
    /// Connections that are open, whether they have sent CONNECT or not.
    public private(set) var connectionCount = 0
    /// Connections that were closed because there were ``ListenerSettings/maximumConnections``.
    public private(set) var refusedConnections: UInt64 = 0
    let shared: ServerContext
    private var unconnected = ConnectQueue()
    /// The message that went to a client last, and what it was made from: one for many subscribers is made once.
    private var lastWithoutPrefix: (of: Message, prefix: TopicPrefix, is: Message?)?

    /// Refused connections for each line in the log.
    private static let refusalsPerLine: UInt64 = 1_000

    /// Whether new connections can come.
    var isOpen: Bool { channel?.isActive ?? true }
    /// Its clients were sent away, and nobody who is still on the way to CONNACK is let in.
    private(set) var isGone = false

    init(place: Listener.Place, settings: ListenerSettings, tls: TLSContext? = nil, shared: ServerContext) {
        self.place = place
        self.settings = settings
        self.tls = tls
        self.shared = shared
    }

    /// Gives the next connections other settings, and other certificates: those that are there go on with theirs. The place
    /// stays.
    ///
    /// - Parameter keepsUnconnected: false if whoever is not connected yet has to come again, because the settings that it came
    ///   with let in somebody who may not come in any more.
    public func replace(settings: ListenerSettings, tls: TLSContext?, keepsUnconnected: Bool = true) {
        self.settings = settings
        self.tls = tls
        if !keepsUnconnected { dropUnconnected() }
    }

    /// It will be opened somewhere else, with other settings. Whoever is not connected yet has to come again.
    func move(to listener: Listener) {
        dropUnconnected()
        place = listener.place
        settings = listener.settings
        tls = listener.tls
    }

    // MARK: Connections

    /// Whether one more connection may come; if not, it is counted as refused.
    func hasRoom() -> Bool {
        if connectionCount < settings.maximumConnections { return true }
        if refusedConnections % OpenListener.refusalsPerLine == 0 {
            shared.logger.warning(
                "refused a connection: the listener has as many as it may",
                metadata: ["listener": "\(settings.name)", "connections": "\(connectionCount)"])
        }
        refusedConnections += 1
        return false
    }

    func connectionOpened() {
        shared.traffic.accepted &+= 1
        connectionCount += 1
    }

    func connectionClosed() { connectionCount -= 1 }

    /// A connection is there and has to send CONNECT in time.
    func expectConnect(_ connection: MQTTConnection, now: MonotonicTime) {
        if unconnected.count >= settings.maximumUnconnected, let oldest = unconnected.oldest { drop(oldest.connection) }
        connection.connectPlace = unconnected.append(connection, deadline: now + connection.settings.connectTimeout)
    }

    /// The CONNECT has come, or never will.
    func connectIsSettled(_ connection: MQTTConnection) {
        guard let place = connection.connectPlace else { return }
        unconnected.remove(place)
        connection.connectPlace = nil
    }

    /// Closes the connections that never sent CONNECT, and lets go of what is of no more use.
    func tick(now: MonotonicTime) {
        while let oldest = unconnected.oldest, oldest.deadline <= now { drop(oldest.connection) }
        lastWithoutPrefix = nil
    }

    /// Lets nobody in any more.
    func leave() {
        isGone = true
        dropUnconnected()
    }

    func dropUnconnected() {
        while let oldest = unconnected.oldest { drop(oldest.connection) }
    }

    private func drop(_ connection: MQTTConnection) {
        connectIsSettled(connection)
        connection.dropUnconnected()
    }

    // MARK: Topic prefix

    /// A message as the listener's clients name it; nil if they have no name for it.
    func message(_ message: Message, without prefix: TopicPrefix) -> Message? {
        if let last = lastWithoutPrefix, last.of.isIdentical(to: message), last.prefix == prefix { return last.is }
        let result = prefix.removed(from: message)
        lastWithoutPrefix = (message, prefix, result)
        return result
    }
}
