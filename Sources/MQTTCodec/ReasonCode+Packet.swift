extension ReasonCode {
    /// Whether a client may say the code in DISCONNECT (MQTT 5.0 §3.14.2.1, table 3-10).
    public var isOfClientDisconnect: Bool {
        switch rawValue {
        case 0x00, 0x04, 0x80...0x83, 0x90, 0x93...0x99: true
        default: false
        }
    }

    /// Whether a packet may carry the code (MQTT 5.0 §2.4, table 2-6).
    func isValid(in packet: PacketType) -> Bool {
        let code = rawValue
        switch packet {
        // [MQTT-3.2.2-8]
        case .connack:
            return [0x00, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F].contains(code)
                || 0x80...0x8A ~= code || code == 0x8C || code == 0x90
        // [MQTT-3.4.2-1], [MQTT-3.5.2-1]
        case .puback, .pubrec:
            return [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99].contains(code)
        // [MQTT-3.6.2-1], [MQTT-3.7.2-1]
        case .pubrel, .pubcomp:
            return code == 0x00 || code == 0x92
        // [MQTT-3.9.3-2]
        case .suback:
            return code <= 0x02 || [0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2].contains(code)
        // [MQTT-3.11.3-2]
        case .unsuback:
            return [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91].contains(code)
        case .disconnect:
            return code == 0x00 || code == 0x04 || 0x80...0x83 ~= code || code == 0x87 || code == 0x89
                || 0x8B...0x8F ~= code || code == 0x90 || 0x93...0xA2 ~= code
        // [MQTT-3.15.2-1]
        case .auth:
            return code == 0x00 || code == 0x18 || code == 0x19
        default:
            return false
        }
    }
}
