import Core
public import NIOCore

extension ConnectPacket {
    /// Appends the packet. What the version does not have (properties, the will's properties, before MQTT 5.0) is left
    /// out.
    public func write(into buffer: inout ByteBuffer) throws(EncodeError) {
        var body = BodyWriter()
        try body.write(version == .v31 ? "MQIsdp" : "MQTT")
        body.write(version.rawValue | (isBridge && version < .v5 ? ConnectPacket.bridgeBit : 0))
        body.write(flags.rawValue)
        body.write(keepAlive)
        if version == .v5 { try properties.write(to: &body, of: .connect) }
        try body.write(clientIdentifier)
        if let will {
            if version == .v5 { try will.writeProperties(to: &body) }
            try body.write(will.topic)
            try body.write(field: will.payload)
        }
        if let userName { try body.write(userName) }
        if let password { try body.write(field: password) }
        try body.finish(.connect, into: &buffer)
    }

    private var flags: ConnectFlags {
        var flags: ConnectFlags = cleanStart ? .cleanStart : []
        if let will {
            flags.insert(.will)
            flags.insert(ConnectFlags(rawValue: will.qos.rawValue << 3))
            if will.retain { flags.insert(.willRetain) }
        }
        if userName != nil { flags.insert(.userName) }
        if password != nil { flags.insert(.password) }
        return flags
    }
}

extension Will {
    fileprivate func writeProperties(to body: inout BodyWriter) throws(EncodeError) {
        var list = PropertyWriter(packet: .will)
        if delayInterval > 0 { list.write(.willDelayInterval, delayInterval) }
        list.write(.messageExpiryInterval, messageExpiryInterval)
        list.write(encoded: forwardedProperties)
        try body.write(properties: list.body)
    }
}
