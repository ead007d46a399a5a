/// The protocol level of a CONNECT packet.
public enum ProtocolVersion: UInt8, Sendable, Comparable {
    /// MQTT 3.1, protocol name `MQIsdp`.
    case v31 = 3
    /// MQTT 3.1.1.
    case v311 = 4
    /// MQTT 5.0.
    case v5 = 5

    public static func < (a: ProtocolVersion, b: ProtocolVersion) -> Bool { a.rawValue < b.rawValue }
}
