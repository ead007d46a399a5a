import Broker
import Core
import MQTTCodec

/// A packet from a client to the box.
enum ClientPacket {
    case connect(ConnectPacket)
    case publish(
        topic: String, payload: String, qos: QoS, packetIdentifier: UInt16, retain: Bool = false, expiry: UInt32? = nil)
    case puback(UInt16)
    case pubrec(UInt16)
    case pubrel(UInt16)
    case pubcomp(UInt16)
    case subscribe(SubscribePacket)
    case unsubscribe(UnsubscribePacket)
    case disconnect(DisconnectPacket)
}

/// A TCP connection: two queues, in order, that either end may stop to believe in at another time than the other.
final class Wire {
    var toBox: [ClientPacket] = []
    var toClient: [Outbound] = []
    /// The client has not given it up.
    var isOpenAtClient = true
    /// The box has not given it up.
    var isOpenAtBox = true

    /// Nothing more can happen on it.
    var isDead: Bool { !isOpenAtBox && !isOpenAtClient }
}

/// The box's end of a wire.
final class WireClient: Client {
    let wire: Wire

    init(wire: Wire) {
        self.wire = wire
        super.init()
    }

    override func flush() {
        while let outbound = popOutbound() {
            wire.toClient.append(outbound)
            if case .disconnect = outbound { wire.isOpenAtBox = false }
        }
    }
}
