/// The properties that a message keeps on its way through the broker, as they stand in a packet.
public enum ForwardedProperties {
    /// Where a property and its parts stand.
    public struct Place: Sendable, Equatable {
        let identifier: PropertyIdentifier
        public let whole: Range<Int>
        /// A user property's name; empty for the others.
        public let name: Range<Int>
        /// Without the length before it.
        public let value: Range<Int>

        public var isUserProperty: Bool { identifier == .userProperty }
    }

    /// The property that begins at `start`; nil if it is not whole, or is none that travels on.
    public static func place(at start: Int, in properties: UnsafeRawBufferPointer) -> Place? {
        /// A field with a length of two bytes before it.
        func field(at start: Int) -> Range<Int>? {
            guard start + 2 <= properties.count else { return nil }
            let end = start + 2 + (Int(properties[start]) << 8 | Int(properties[start + 1]))
            return end <= properties.count ? start + 2..<end : nil
        }
        guard start < properties.count, let identifier = PropertyIdentifier(rawValue: properties[start]) else { return nil }
        var name = start + 1..<start + 1
        var value = start + 1..<start + 2
        switch identifier {
        case .payloadFormatIndicator:
            guard value.upperBound <= properties.count else { return nil }
        case .contentType, .correlationData, .responseTopic:
            guard let field = field(at: start + 1) else { return nil }
            value = field
        case .userProperty:
            guard let first = field(at: start + 1), let second = field(at: first.upperBound) else { return nil }
            name = first
            value = second
        default:
            // Nothing else travels on.
            return nil
        }
        return Place(identifier: identifier, whole: start..<value.upperBound, name: name, value: value)
    }

    /// Puts another Response Topic (MQTT 5.0 §3.3.2.3.5) in the place of the one there.
    ///
    /// - Parameter name: the new one; nil to leave it.
    /// - Returns: nil if there is none or it stays.
    public static func mapResponseTopic(
        of properties: UnsafeRawBufferPointer, to name: (UnsafeRawBufferPointer) -> [UInt8]?
    ) -> [UInt8]? {
        var at = 0
        while let place = place(at: at, in: properties) {
            at = place.whole.upperBound
            guard place.identifier == .responseTopic else { continue }
            guard let mapped = name(UnsafeRawBufferPointer(rebasing: properties[place.value])) else { return nil }
            var result = Array(properties[...place.whole.lowerBound])
            append(field: mapped, to: &result)
            result += properties[place.whole.upperBound...]
            return result
        }
        return nil
    }

    /// Adds a user property (MQTT 5.0 §3.3.2.3.7).
    ///
    /// - Parameters:
    ///   - name: at most 65,535 bytes, as `value`.
    public static func append(
        userProperty name: some Collection<UInt8>, _ value: some Collection<UInt8>, to properties: inout [UInt8]
    ) {
        properties.append(PropertyIdentifier.userProperty.rawValue)
        append(field: name, to: &properties)
        append(field: value, to: &properties)
    }

    private static func append(field bytes: some Collection<UInt8>, to properties: inout [UInt8]) {
        properties.append(UInt8(truncatingIfNeeded: bytes.count >> 8))
        properties.append(UInt8(truncatingIfNeeded: bytes.count))
        properties += bytes
    }
}
