import Broker
public import Core
import MQTTCodec
public import NIOCore

extension ServerContext {
    /// Ends the connections of a listener which is no longer there. MQTT 5.0 clients are told Administrative action; sessions
    /// that outlive their connection stay.
    ///
    /// - Parameter port: the listener's channel.
    public func closeConnections(of port: any Channel, now: MonotonicTime, wall: Timestamp) {
        close(now: now, wall: wall) { $0.listener.channel === port }
        for listener in listeners where listener.channel === port { listener.leave() }
    }

    /// Ends the connections that came through a port which was open for a moment only, and whose listener is elsewhere again.
    public func closeConnections(acceptedBy port: any Channel, now: MonotonicTime, wall: Timestamp) {
        close(now: now, wall: wall) { $0.came(through: port) }
    }

    private func close(now: MonotonicTime, wall: Timestamp, where isMeant: (MQTTConnection) -> Bool) {
        broker.closeClients(reason: .administrativeAction, now: now, wall: wall) { client in
            (client as? MQTTConnection).map(isMeant) ?? false
        }
        turn()
    }
}
