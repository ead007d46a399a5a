/// The properties that a message keeps on its way through the broker, as they stand in a packet.
public enum ForwardedProperties {
    /// Puts another Response Topic (MQTT 5.0 §3.3.2.3.5) in the place of the one there.
    ///
    /// - Parameter name: the new one; nil to leave it.
    /// - Returns: nil if there is none or it stays.
    public static func mapResponseTopic(
        of properties: UnsafeRawBufferPointer, to name: (UnsafeRawBufferPointer) -> [UInt8]?
    ) -> [UInt8]? {
        var at = 0
        /// The end of a field with a length of two bytes, which begins at `start`.
        func end(ofFieldAt start: Int) -> Int? {
            guard start + 2 <= properties.count else { return nil }
            let end = start + 2 + (Int(properties[start]) << 8 | Int(properties[start + 1]))
            return end <= properties.count ? end : nil
        }
        while at < properties.count {
            switch PropertyIdentifier(rawValue: properties[at]) {
            case .payloadFormatIndicator:
                at += 2
            case .contentType, .correlationData:
                guard let next = end(ofFieldAt: at + 1) else { return nil }
                at = next
            case .userProperty:
                guard let value = end(ofFieldAt: at + 1), let next = end(ofFieldAt: value) else { return nil }
                at = next
            case .responseTopic:
                guard let next = end(ofFieldAt: at + 1),
                    let mapped = name(UnsafeRawBufferPointer(rebasing: properties[(at + 3)..<next]))
                else { return nil }
                var result = Array(properties[...at])
                result.append(UInt8(truncatingIfNeeded: mapped.count >> 8))
                result.append(UInt8(truncatingIfNeeded: mapped.count))
                result += mapped
                result += properties[next...]
                return result
            default:
                // Nothing else travels on.
                return nil
            }
        }
        return nil
    }
}
