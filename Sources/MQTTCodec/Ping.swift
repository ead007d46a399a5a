public import NIOCore

/// PINGREQ and PINGRESP (MQTT 5.0 §3.12, §3.13), which have no body.
public enum Ping {
    /// Checks the body of a PINGREQ or PINGRESP: empty.
    public static func read(body: UnsafeRawBufferPointer) throws(DecodeError) {
        guard body.isEmpty else { throw .malformed("a ping has no content", at: 0) }
    }

    /// Appends a PINGREQ.
    @inlinable
    public static func writeRequest(into buffer: inout ByteBuffer) { buffer.writeInteger(0xC000 as UInt16) }

    /// Appends a PINGRESP.
    @inlinable
    public static func writeResponse(into buffer: inout ByteBuffer) { buffer.writeInteger(0xD000 as UInt16) }
}
