import Core

/// What went through the connections of a server since it started. Counting is an addition for each packet.
public struct Traffic: Sendable, Equatable {
    /// Bytes of MQTT packets.
    public var bytesReceived: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// Packets of every type.
    public var packetsReceived: UInt64 = 0
    public var packetsSent: UInt64 = 0
    /// PUBLISH packets, those sent again included.
    public var publishesReceived = CountByQoS()
    public var publishesSent = CountByQoS()
    /// Bytes of their payloads.
    public var publishBytesReceived: UInt64 = 0
    public var publishBytesSent: UInt64 = 0
    /// Connections accepted, whatever came of them.
    public var accepted: UInt64 = 0

    public init() {}

    @inline(__always)
    mutating func countSent(_ qos: QoS, payload: Int) {
        publishesSent.count(qos)
        publishBytesSent &+= UInt64(payload)
    }
}

/// A count for each QoS.
public struct CountByQoS: Sendable, Equatable {
    public var atMostOnce: UInt64 = 0
    public var atLeastOnce: UInt64 = 0
    public var exactlyOnce: UInt64 = 0

    public init() {}

    public var total: UInt64 { atMostOnce &+ atLeastOnce &+ exactlyOnce }

    @inline(__always)
    mutating func count(_ qos: QoS) {
        switch qos {
        case .atMostOnce: atMostOnce &+= 1
        case .atLeastOnce: atLeastOnce &+= 1
        case .exactlyOnce: exactlyOnce &+= 1
        }
    }
}
