import Core
import MQTTClient
import MQTTCodec
import NIOCore

/// One client of the broker, ready for its part in the run when the broker has accepted it. On its own it is a connection that
/// does nothing.
class LoadConnection: ClientConnection {
    /// Called once, when the connection is ready for its part in the run.
    var onReady: (() -> Void)?
    /// Called at most once, with the reason, if the connection ends before ``leave()``.
    var onEnd: ((String) -> Void)?
    /// When it began to be opened.
    var openedAt = MonotonicTime.zero

    init(packet: ConnectPacket) { super.init(packet: packet, answerTimeout: ConnectionOpener.timeout) }

    /// The broker has accepted the connection. ``becomeReady()`` is to be called when nothing more has to be prepared.
    func established(_ packet: ConnackPacket) { becomeReady() }

    final func becomeReady() {
        let notify = onReady
        onReady = nil
        notify?()
    }

    /// Ends the connection because of something that the broker did or said.
    final func fail(_ reason: String) { close(.unsuitable(reason)) }

    /// Ends the connection in good order.
    final func leave() {
        onEnd = nil
        disconnect()
    }

    /// Adds a packet that this program says by itself, and that so fits the protocol's limits, to what ``flush()`` sends.
    final func add(_ packet: SubscribePacket) {
        do throws(EncodeError) {
            try packet.write(version: version, into: &output)
        } catch {
            preconditionFailure("a packet of the bench cannot be encoded: \(error)")
        }
    }

    override func connected(_ packet: ConnackPacket) { established(packet) }

    override func ended(_ failure: ConnectionFailure) {
        let notify = onEnd
        onEnd = nil
        notify?("\(clientIdentifier): \(failure)")
    }
}
