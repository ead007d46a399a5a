import MQTTCodec
import Testing

@Suite("FrameReader")
struct FrameReaderTests {
    private func read(
        _ bytes: [UInt8], maximumPacketSize: Int = FrameReader.maximumPacketSize, version: ProtocolVersion = .v5
    ) -> FrameResult {
        bytes.withUnsafeBytes { FrameReader.read($0, maximumPacketSize: maximumPacketSize, version: version) }
    }

    // MQTT 5.0 §1.5.5, table 1-1.
    @Test(
        "the remaining length has one to four bytes",
        arguments: [
            ("00", 0), ("7F", 127), ("80 01", 128), ("FF 7F", 16_383), ("80 80 01", 16_384), ("FF FF 7F", 2_097_151),
            ("80 80 80 01", 2_097_152), ("FF FF FF 7F", 268_435_455),
        ])
    func remainingLength(encoded: String, length: Int) {
        let header = [0x30] + bytes(encoded)
        let total = header.count + length
        #expect(header.withUnsafeBytes { FrameReader.totalLength($0) } == total)
        for end in 0..<header.count { #expect(header[..<end].withUnsafeBytes { FrameReader.totalLength($0) } == nil) }
        // The length shows in the limit that just refuses the packet, without its body.
        #expect(read(header, maximumPacketSize: total - 1).error?.reasonCode == .packetTooLarge)
        if length == 0 {
            #expect(read(header, maximumPacketSize: total).frame?.totalLength == total)
        } else {
            #expect(read(header, maximumPacketSize: total) == .needMoreBytes)
        }
        if length < 100_000 {
            let whole = header + [UInt8](repeating: 0, count: length)
            #expect(read(whole).frame?.bodyOffset == header.count)
            #expect(read(whole).frame?.bodyLength == length)
        }
    }

    @Test("a remaining length of five bytes is malformed, before the fifth arrives")
    func fiveBytes() {
        #expect(read(bytes("30 80 80 80 80 01")).error?.reasonCode == .malformedPacket)
        #expect(read(bytes("30 FF FF FF FF")).error?.reasonCode == .malformedPacket)
        #expect(read(bytes("30 FF FF FF")) == .needMoreBytes)
    }

    @Test("a remaining length in more bytes than it needs is malformed in MQTT 5.0 only")
    func notTheFewestBytes() {
        #expect(read(bytes("C0 80 00")).error?.reasonCode == .malformedPacket)
        #expect(read(bytes("C0 80 00"), version: .v311).frame?.totalLength == 3)
    }

    @Test("one byte is not enough to say anything")
    func oneByte() {
        #expect(read([]) == .needMoreBytes)
        #expect(read([0x30]) == .needMoreBytes)
    }

    @Test("the limit counts the whole packet")
    func limit() {
        let ping = bytes("C0 00")
        #expect(read(ping, maximumPacketSize: 2).frame != nil)
        #expect(read(ping, maximumPacketSize: 1).error?.reasonCode == .packetTooLarge)
    }

    @Test("each type but PUBLISH has one valid value of the flags", arguments: [ProtocolVersion.v311, .v5])
    func flags(version: ProtocolVersion) {
        for first in UInt8.min...UInt8.max where first >> 4 != 3 {
            let isMarked = [6, 8, 10].contains(first >> 4)
            let isValid = first >> 4 != 0 && (first >> 4 != 15 || version == .v5) && first & 0xF == (isMarked ? 2 : 0)
            #expect((read([first, 0], version: version).frame != nil) == isValid, "first byte \(first)")
            if !isValid { #expect(read([first, 0], version: version).error?.reasonCode == .malformedPacket) }
        }
    }

    @Test("MQTT 3.1 may set DUP in PUBREL, SUBSCRIBE and UNSUBSCRIBE", arguments: [0x6A, 0x8A, 0xAA] as [UInt8])
    func flagsOf31(first: UInt8) {
        #expect(read([first, 0], version: .v31).frame != nil)
        #expect(read([first, 0], version: .v311).error?.reasonCode == .malformedPacket)
    }

    @Test("PUBLISH has every flag but QoS 3, and DUP only with QoS 1 and 2", arguments: versions)
    func publishFlags(version: ProtocolVersion) {
        for flags in 0...15 as ClosedRange<UInt8> {
            let qos = flags >> 1 & 3
            let isValid = qos < 3 && (qos > 0 || flags & 8 == 0)
            #expect((read([0x30 | flags, 0], version: version).frame != nil) == isValid, "flags \(flags)")
        }
    }
}

extension FrameResult {
    var frame: Frame? { if case .frame(let frame) = self { frame } else { nil } }
    var error: DecodeError? { if case .failure(let error) = self { error } else { nil } }
}
