/// The properties that travel with a message from its sender to its receivers, as values (MQTT 5.0 §3.3.2.3). Absent is nil.
public struct MessageProperties: Sendable, Equatable {
    /// Whether the payload is said to be UTF-8.
    public var payloadFormatIsUTF8: Bool?
    public var contentType: String?
    public var responseTopic: String?
    public var correlationData: [UInt8]?
    public var userProperties: [Properties.UserProperty] = []

    public init() {}

    public var isEmpty: Bool { self == MessageProperties() }

    /// Those of a PUBLISH.
    ///
    /// - Parameter body: the body that the view was read from.
    public init(of view: PublishView, _ body: UnsafeRawBufferPointer) {
        var run: [UInt8] = []
        view.appendForwardedProperties(of: body, to: &run)
        run.withUnsafeBytes { run in
            var list = PropertyReader(reader: BodyReader(run), packet: .publish)
            do throws(DecodeError) {
                while let identifier = try list.next() { try read(identifier, from: &list.reader) }
            } catch {
                // They were found valid when the view was read.
            }
        }
    }

    private mutating func read(_ identifier: PropertyIdentifier, from reader: inout BodyReader) throws(DecodeError) {
        switch identifier {
        case .payloadFormatIndicator: payloadFormatIsUTF8 = try reader.readBool("payload format indicator")
        case .contentType: contentType = try reader.readString("content type")
        case .responseTopic: responseTopic = try reader.readString("response topic")
        case .correlationData: correlationData = try reader.readBytes("correlation data")
        case .userProperty:
            let name = try reader.readString("name of a user property")
            let value = try reader.readString("value of a user property")
            userProperties.append(Properties.UserProperty(name: name, value: value))
        default: _ = try reader.skipForwardedValue(of: identifier)
        }
    }

    /// As they stand in PUBLISH or in the will of CONNECT, without their length.
    public func encoded() throws(EncodeError) -> [UInt8] {
        var list = PropertyWriter(packet: .publish)
        list.write(.payloadFormatIndicator, payloadFormatIsUTF8)
        try list.write(.contentType, contentType)
        try list.write(.responseTopic, responseTopic)
        try list.write(.correlationData, correlationData)
        for property in userProperties { try list.write(property) }
        return list.body.bytes
    }
}
