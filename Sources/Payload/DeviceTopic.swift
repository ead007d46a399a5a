public import Core

/// The device topics of the box, `/sys/{productKey}/{deviceKey}/…`.
///
/// A request's envelope names its method, which is the topic's tail with dots; the answer goes to the same topic with
/// `_reply` behind it.
public enum DeviceTopic: UInt8, Sendable, Hashable, CaseIterable {
    /// A device tells its measurement points.
    case measurepointPost
    case measurepointPostReply
    /// Somebody sets measurement points of a device.
    case measurepointSet
    case measurepointSetReply
    /// Somebody asks for measurement points of a device.
    case measurepointGet
    case measurepointGetReply

    /// What follows `/sys/{productKey}/{deviceKey}/`.
    public var tail: StaticString {
        switch self {
        case .measurepointPost: "thing/measurepoint/post"
        case .measurepointPostReply: "thing/measurepoint/post_reply"
        case .measurepointSet: "thing/service/measurepoint/set"
        case .measurepointSetReply: "thing/service/measurepoint/set_reply"
        case .measurepointGet: "thing/service/measurepoint/get"
        case .measurepointGetReply: "thing/service/measurepoint/get_reply"
        }
    }

    /// The `method` of a request's envelope; nil for a reply.
    public var method: StaticString? {
        switch self {
        case .measurepointPost: "thing.measurepoint.post"
        case .measurepointSet: "thing.service.measurepoint.set"
        case .measurepointGet: "thing.service.measurepoint.get"
        case .measurepointPostReply, .measurepointSetReply, .measurepointGetReply: nil
        }
    }

    /// The topic that answers this one; nil for a reply.
    public var reply: DeviceTopic? {
        switch self {
        case .measurepointPost: .measurepointPostReply
        case .measurepointSet: .measurepointSetReply
        case .measurepointGet: .measurepointGetReply
        case .measurepointPostReply, .measurepointSetReply, .measurepointGetReply: nil
        }
    }

    /// The filter of this topic of every device, `/sys/+/+/…`.
    public var filter: String { "/sys/+/+/\(tail)" }

    /// This topic of one device.
    ///
    /// - Returns: nil if a key cannot be a topic level (see ``isKey(_:)``).
    public func name(of device: DeviceIdentifier) -> TopicName? {
        guard Self.isKey(device.productKey), Self.isKey(device.deviceKey) else { return nil }
        return TopicName("/sys/\(device.productKey)/\(device.deviceKey)/\(tail)")
    }

    /// Whether `text` can be a product key or a device key: 1…255 bytes without `/`, `+`, `#` and U+0000.
    public static func isKey(_ text: String) -> Bool {
        guard (1...255).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            byte != UInt8(ascii: "/") && byte != UInt8(ascii: "+") && byte != UInt8(ascii: "#") && byte != 0
        }
    }

    /// A device topic found in the bytes of a topic name.
    public struct Match: Sendable, Hashable {
        public let topic: DeviceTopic
        /// Where the keys lie in the topic name.
        public let productKey: Range<Int>
        public let deviceKey: Range<Int>

        /// The keys as text. Allocates; not for the data path.
        public func device(in bytes: UnsafeRawBufferPointer) -> DeviceIdentifier? {
            guard productKey.upperBound <= bytes.count, deviceKey.upperBound <= bytes.count else { return nil }
            return DeviceIdentifier(
                productKey: String(decoding: bytes[productKey], as: UTF8.self),
                deviceKey: String(decoding: bytes[deviceKey], as: UTF8.self))
        }
    }

    /// Recognises a device topic. Allocates nothing.
    ///
    /// - Returns: nil if it is none of these topics or a key is empty or longer than 255 bytes.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> Match? {
        guard let parts = DeviceTopicParts(bytes) else { return nil }
        for topic in allTopics where parts.tail.count == topic.tail.utf8CodeUnitCount {
            if hasText(topic.tail, bytes, at: parts.tail.lowerBound) {
                return Match(topic: topic, productKey: parts.productKey, deviceKey: parts.deviceKey)
            }
        }
        return nil
    }

    private static let allTopics = Self.allCases

    fileprivate static func hasText(_ text: StaticString, _ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
        guard bytes.count - start >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[start + index] != text.utf8Start[index] { return false }
        return true
    }
}

/// Where the parts of a device's topic lie, `/sys/{productKey}/{deviceKey}/{tail}`, whatever the tail is.
public struct DeviceTopicParts: Sendable, Hashable {
    public let productKey: Range<Int>
    public let deviceKey: Range<Int>
    /// Not empty.
    public let tail: Range<Int>

    /// - Parameters:
    ///   - bytes: a topic name.
    ///   - prefix: what stands before the keys.
    /// - Returns: nil if it is no such topic or a key is empty or longer than 255 bytes.
    public init?(_ bytes: UnsafeRawBufferPointer, prefix: StaticString = "/sys/") {
        guard DeviceTopic.hasText(prefix, bytes, at: 0) else { return nil }
        guard let product = Self.level(bytes, from: prefix.utf8CodeUnitCount) else { return nil }
        guard let device = Self.level(bytes, from: product.upperBound + 1) else { return nil }
        guard device.upperBound + 1 < bytes.count else { return nil }
        productKey = product
        deviceKey = device
        tail = device.upperBound + 1..<bytes.count
    }

    /// The keys as text. Allocates; not for the data path.
    ///
    /// - Parameter bytes: the topic that was cut.
    public func device(in bytes: UnsafeRawBufferPointer) -> DeviceIdentifier? {
        guard tail.upperBound <= bytes.count else { return nil }
        return DeviceIdentifier(
            productKey: String(decoding: bytes[productKey], as: UTF8.self),
            deviceKey: String(decoding: bytes[deviceKey], as: UTF8.self))
    }

    /// The level that starts at `start` and ends before a slash.
    private static func level(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        var end = start
        while end < bytes.count, bytes[end] != UInt8(ascii: "/") { end += 1 }
        return end < bytes.count && end > start && end - start <= 255 ? start..<end : nil
    }
}
