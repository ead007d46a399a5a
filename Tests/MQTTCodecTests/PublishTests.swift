import Core
import MQTTCodec
import NIOCore
import Testing

@Suite("PUBLISH")
struct PublishTests {
    private func view(_ body: [UInt8], flags: UInt8 = 0, version: ProtocolVersion = .v5) throws -> PublishView {
        // Through a Result: the closure's caller does not keep the type of the error.
        try body.withUnsafeBytes { body in
            Result { () throws(DecodeError) in try PublishView.read(body: body, flags: flags, version: version) }
        }.get()
    }

    @Test("properties to forward that stand together are one range")
    func oneRun() throws {
        let body = bytes("00 01 't' 12 02 0000003C 01 01 03 0001 'j' 09 0001 AA 23 0005 'payload'")
        let view = try view(body)
        #expect(view.forwardedProperties.map { Array(body[$0]) } == bytes("01 01 03 0001 'j' 09 0001 AA"))
        #expect(view.messageExpiryInterval == 60 && view.topicAlias == 5 && view.payloadFormatIsUTF8)
        #expect(Array(body[view.payload]) == Array("payload".utf8))
    }

    @Test("properties to forward with others between them are put together in their order")
    func severalRuns() throws {
        let body = bytes("00 01 't' 0E 01 01 02 0000003C 03 0001 'j' 23 0005")
        let view = try view(body)
        #expect(view.forwardedProperties == nil)
        var run: [UInt8] = [0xEE]
        body.withUnsafeBytes { view.appendForwardedProperties(of: $0, to: &run) }
        #expect(run == bytes("EE 01 01 03 0001 'j'"))
    }

    @Test("without properties the range to forward is empty", arguments: versions)
    func none(version: ProtocolVersion) throws {
        let view = try view(bytes(version == .v5 ? "00 01 't' 00 'p'" : "00 01 't' 'p'"), version: version)
        #expect(view.forwardedProperties?.isEmpty == true && view.payload.count == 1)
    }

    @Test("an empty topic name is allowed with a topic alias")
    func alias() throws {
        let view = try view(bytes("00 00 03 23 0007"))
        #expect(view.topic.isEmpty && view.topicAlias == 7)
    }

    @Test("a server's PUBLISH may have several subscription identifiers")
    func subscriptionIdentifiers() throws {
        let body = bytes("00 01 't' 0A 0B 01 0B 80 01 0B FFFFFF7F 'p'")
        let view = try view(body)
        #expect(view.hasSubscriptionIdentifiers)
        #expect(body.withUnsafeBytes { view.subscriptionIdentifiers(of: $0) } == [1, 128, 268_435_455])
    }

    @Test("a message is written with what its receiver's version knows")
    func written() {
        var publish = Publish(topic: Array("t".utf8), payload: [9])
        publish.forwardedProperties = [1, 1]
        func write(_ version: ProtocolVersion, _ qos: QoS, expiry: UInt32? = nil) -> [UInt8] {
            var buffer = ByteBuffer()
            let isWritten = PublishEncoder.write(
                publish.message, packetIdentifier: 0x1234, qos: qos, retain: true, dup: false, version: version,
                messageExpiryInterval: expiry, into: &buffer)
            return isWritten ? Array(buffer.readableBytesView) : []
        }
        #expect(write(.v311, .atMostOnce) == bytes("31 04 0001 't' 09"))
        #expect(write(.v311, .exactlyOnce, expiry: 7) == bytes("35 06 0001 't' 1234 09"))
        #expect(write(.v5, .atMostOnce) == bytes("31 07 0001 't' 02 0101 09"))
        #expect(write(.v5, .atLeastOnce, expiry: 7) == bytes("33 0E 0001 't' 1234 07 02 00000007 0101 09"))
        publish.forwardedProperties = []
        #expect(write(.v311, .atMostOnce) == bytes("31 04 0001 't' 09"))
        #expect(write(.v5, .atMostOnce) == bytes("31 05 0001 't' 00 09"))
    }

    @Test(
        "the remaining length takes as many bytes as it needs",
        arguments: [127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
    func remainingLength(length: Int) {
        let receivers: [(ProtocolVersion, QoS, overhead: Int)] = [
            (.v311, .atMostOnce, 3), (.v311, .atLeastOnce, 5), (.v5, .atMostOnce, 4),
        ]
        for (version, qos, overhead) in receivers {
            let payload = [UInt8](repeating: 9, count: length - overhead)
            var buffer = ByteBuffer()
            let isWritten = PublishEncoder.write(
                Publish(topic: [0x74], payload: payload).message, packetIdentifier: 1, qos: qos, retain: false,
                dup: false, version: version, into: &buffer)
            let body = bytes("0001 't'") + (qos == .atMostOnce ? [] : [0, 1]) + (version == .v5 ? [0] : []) + payload
            #expect(isWritten && buffer.readableBytesView.elementsEqual(packet(0x30 | qos.rawValue << 1, body)))
        }
    }

    @Test(
        "the length of the properties takes as many bytes as it needs",
        arguments: [127, 128, 16_383, 16_384])
    func propertyLength(length: Int) {
        // One property of correlation data: an identifier, two bytes of length, and the rest.
        let count = length - 3
        let properties = [0x09, UInt8(count >> 8), UInt8(count & 0xFF)] + [UInt8](repeating: 5, count: count)
        var publish = Publish(topic: [0x74], payload: [9])
        publish.forwardedProperties = properties
        let encodedLength = packet(0, properties).dropFirst().prefix { $0 >= 0x80 }.count + 1
        #expect(
            PublishEncoder.size(publish.message, qos: .atMostOnce, version: .v5)
                == packet(0x30, [UInt8](repeating: 0, count: 3 + encodedLength + length + 1)).count)
        let decoded = (try? AnyPacket.publish(publish).encoded(version: .v5)).map { Decoded($0, version: .v5) }
        #expect(decoded?.packet == .publish(publish))
    }

    @Test(
        "a packet larger than the receiver takes is not written",
        arguments: [(ProtocolVersion.v311, QoS.atMostOnce), (.v311, .atLeastOnce), (.v5, .atMostOnce)])
    func tooLarge(version: ProtocolVersion, qos: QoS) {
        let message = Publish(topic: Array("t".utf8), payload: [UInt8](repeating: 0, count: 200)).message
        let size = PublishEncoder.size(message, qos: qos, version: version)
        for limit in [size - 1, size] {
            var buffer = ByteBuffer()
            let isWritten = PublishEncoder.write(
                message, packetIdentifier: 1, qos: qos, retain: false, dup: false, version: version,
                maximumPacketSize: limit, into: &buffer)
            #expect(isWritten == (limit == size) && buffer.readableBytes == (isWritten ? size : 0))
        }
    }

    @Test("a topic that its length field cannot say is not written")
    func topicTooLong() {
        let topic = [UInt8](repeating: 0x61, count: 65_536)
        var buffer = ByteBuffer()
        let isWritten = topic.withUnsafeBytes {
            PublishEncoder.write(
                topic: $0, payload: UnsafeRawBufferPointer(start: nil, count: 0), packetIdentifier: 0, qos: .atMostOnce,
                version: .v311, into: &buffer)
        }
        #expect(!isWritten && buffer.readableBytes == 0)
    }

    @Test("what the buffer held before and who shares it keep their bytes")
    func appended() {
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        let shared = buffer
        for _ in 0..<100 {
            let message = Message.create(
                topic: "t", payload: [7], qos: .atMostOnce, publishedAt: Timestamp(milliseconds: 0))
            #expect(
                PublishEncoder.write(
                    message, packetIdentifier: 0, qos: .atMostOnce, retain: false, dup: false, version: .v311,
                    into: &buffer))
        }
        #expect(Array(shared.readableBytesView) == [1, 2, 3])
        let expected: [UInt8] = [1, 2, 3] + Array(repeatElement(bytes("30 04 0001 't' 07"), count: 100).joined())
        #expect(Array(buffer.readableBytesView) == expected)
    }
}
