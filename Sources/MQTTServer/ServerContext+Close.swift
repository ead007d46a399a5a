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
        broker.closeClients(reason: .administrativeAction, now: now, wall: wall) { client in
            (client as? MQTTConnection)?.listener.channel === port
        }
        turn()
        for listener in listeners where listener.channel === port { listener.leave() }
    }
}
