extension PublishView {
    /// The rest of ``read(body:flags:version:)`` for a PUBLISH whose properties are not empty. They start at `offset`.
    @usableFromInline
    static func readProperties(
        of body: UnsafeRawBufferPointer, topicEnd: Int, packetIdentifier: UInt16, flags: UInt8, from offset: Int
    ) throws(DecodeError) -> PublishView {
        var view = PublishView(
            topicEnd: topicEnd, packetIdentifier: packetIdentifier, flags: flags, payload: offset..<body.count)
        try view.readProperties(of: body)
        // §3.3.2.1: a topic alias may stand for the topic name.
        if view.topic.isEmpty, view.topicAlias == nil { throw emptyTopic(version: .v5) }
        return view
    }

    private mutating func readProperties(of body: UnsafeRawBufferPointer) throws(DecodeError) {
        var reader = BodyReader(body, payload)
        var list = try reader.readProperties(of: .publish)
        properties = list.reader.offset..<reader.offset
        payload = reader.offset..<reader.end
        forwardedProperties = properties.lowerBound..<properties.lowerBound
        while let identifier = try list.next() {
            let start = list.reader.offset - 1
            switch identifier {
            case .messageExpiryInterval:
                messageExpiryInterval = try list.reader.readUInt32("message expiry interval")
            case .topicAlias:
                let alias = try list.reader.readUInt16("topic alias")
                // [MQTT-3.3.2-8] not zero.
                guard alias != 0 else {
                    throw DecodeError(reasonCode: .topicAliasInvalid, reason: "topic alias is zero", offset: start)
                }
                topicAlias = alias
            case .subscriptionIdentifier:
                _ = try list.reader.readSubscriptionIdentifier()
                hasSubscriptionIdentifiers = true
            default:
                if try list.reader.skipForwardedValue(of: identifier) { payloadFormatIsUTF8 = true }
                extendForwardedRun(with: start..<list.reader.offset)
            }
        }
    }

    private mutating func extendForwardedRun(with property: Range<Int>) {
        guard let run = forwardedProperties else { return }
        if run.isEmpty {
            forwardedProperties = property
        } else {
            forwardedProperties = run.upperBound == property.lowerBound ? run.lowerBound..<property.upperBound : nil
        }
    }

    /// Appends the properties that travel on with the message, as they are and in their order [MQTT-3.3.2-4],
    /// [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20]; for when
    /// ``forwardedProperties`` is nil, right in any case.
    ///
    /// - Parameter body: the body that this was read from.
    public func appendForwardedProperties(of body: UnsafeRawBufferPointer, to run: inout [UInt8]) {
        forEachProperty(of: body) { identifier, property, _ in
            switch identifier {
            case .messageExpiryInterval, .topicAlias, .subscriptionIdentifier: break
            default: run.append(contentsOf: body[property])
            }
        }
    }

    /// The subscription identifiers, in their order.
    ///
    /// - Parameter body: the body that this was read from.
    public func subscriptionIdentifiers(of body: UnsafeRawBufferPointer) -> [UInt32] {
        guard hasSubscriptionIdentifiers else { return [] }
        var identifiers: [UInt32] = []
        forEachProperty(of: body) { identifier, _, value in
            if identifier == .subscriptionIdentifier { identifiers.append(value) }
        }
        return identifiers
    }

    /// Goes through the properties once more; they were found valid, another body's end the walk.
    private func forEachProperty(
        of body: UnsafeRawBufferPointer, _ visit: (PropertyIdentifier, Range<Int>, _ identifierValue: UInt32) -> Void
    ) {
        guard properties.upperBound <= body.count else { return }
        var list = PropertyReader(reader: BodyReader(body, properties), packet: .publish)
        while let identifier = try? list.next() {
            let start = list.reader.offset - 1
            var value: UInt32 = 0
            do throws(DecodeError) {
                switch identifier {
                case .messageExpiryInterval: value = try list.reader.readUInt32("message expiry interval")
                case .topicAlias: value = UInt32(try list.reader.readUInt16("topic alias"))
                case .subscriptionIdentifier: value = try list.reader.readSubscriptionIdentifier()
                default: _ = try list.reader.skipForwardedValue(of: identifier)
                }
            } catch {
                return
            }
            visit(identifier, start..<list.reader.offset, value)
        }
    }
}

extension BodyReader {
    /// A subscription identifier, 1…268,435,455 (MQTT 5.0 §3.8.2.1.2).
    mutating func readSubscriptionIdentifier() throws(DecodeError) -> UInt32 {
        let start = offset
        let value = try readVariableByteInteger("subscription identifier")
        guard value != 0 else { throw .protocolError("subscription identifier is zero", at: start) }
        return value
    }

    /// Checks the value of a property that travels with a message and steps over it. Answers whether it is a payload
    /// format indicator that says UTF-8.
    mutating func skipForwardedValue(of identifier: PropertyIdentifier) throws(DecodeError) -> Bool {
        switch identifier {
        case .payloadFormatIndicator:
            return try readBool("payload format indicator")
        case .contentType:
            // [MQTT-3.3.2-19]
            _ = try readText("content type")
        case .responseTopic:
            let topic = try readField("response topic")
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[topic])
            // [MQTT-3.3.2-13], [MQTT-3.3.2-14] text without wildcards.
            guard UTF8EncodedString.isValidTopicName(bytes) else {
                throw .malformed("response topic is not a topic name", at: topic.lowerBound)
            }
        case .correlationData:
            _ = try readField("correlation data")
        case .userProperty:
            // [MQTT-1.5.7-1] both are text.
            _ = try readText("name of a user property")
            _ = try readText("value of a user property")
        default:
            throw .malformed("the packet cannot have this property", at: offset - 1)
        }
        return false
    }
}
