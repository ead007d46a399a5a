package import Core
import Payload

/// Values that a device told of itself at one time: measurement points, attributes, or the outputs of an event.
package struct DevicePost: Equatable {
    package enum Kind: Equatable {
        case measurepoints
        case attributes
        /// With the event's identifier.
        case event(String)
    }

    package enum Value: Equatable {
        case null
        case bool(Bool)
        case int(Int64)
        /// A whole number above `Int64.max`.
        case uint(UInt64)
        case double(Double)
        case string(String)
        /// An array or an object.
        case json([UInt8])
    }

    package struct Item: Equatable {
        package var name: String
        package var value: Value
        /// The digit of ``Payload/QualityDigit``; nil if the device did not say.
        package var quality: UInt8?
        /// Why the quality is what it is.
        package var reason: String?
    }

    package var device: DeviceIdentifier
    package var kind: Kind
    /// The device itself says that this is history (`thing/measurepoint/resume`).
    package var isHistory: Bool
    /// When the values were true; when they were published, if the device did not say.
    package var time: Timestamp
    package var items: [Item]
}

extension DevicePost.Item {
    /// The device was not there to be asked.
    var isUnreachable: Bool {
        guard quality == QualityDigit.bad, let reason else { return false }
        return reason == QualityReason.timeout.rawValue || reason == QualityReason.notConnected.rawValue
            || reason == QualityReason.gatewayTargetFailed.rawValue
    }
}

/// What a local message is to a form that takes devices apart.
package enum LocalMessage: Equatable {
    case posts([DevicePost])
    /// A topic of a device that says nothing for an upstream: a command, an answer; or a payload that is no post.
    case nothing
    /// No topic of a device.
    case other
}

/// Reads posts of devices. Keeps its memory from one to the next.
package struct DevicePostReader: ~Copyable {
    private var scanner = JSONScanner()

    package init() {}

    package mutating func read(_ message: Message) -> LocalMessage {
        message.withParts { topic, _, payload in
            guard let parts = DeviceTopicParts(topic) else { return .other }
            let tail = UnsafeRawBufferPointer(rebasing: topic[parts.tail])
            guard let (kind, isHistory) = Self.kind(tail), let device = parts.device(in: topic) else { return .nothing }
            do throws(JSONError) {
                try scanner.scan(payload)
            } catch {
                return .nothing
            }
            let posts = posts(kind, of: device, isHistory: isHistory, publishedAt: message.publishedAt)
            return posts.isEmpty ? .nothing : .posts(posts)
        }
    }

    /// What a tail means; nil for what is no post.
    private static func kind(_ tail: UnsafeRawBufferPointer) -> (DevicePost.Kind, isHistory: Bool)? {
        // Longer than any that has a meaning: an event's identifier is one level.
        guard tail.count <= 512 else { return nil }
        let text = String(decoding: tail, as: UTF8.self)
        switch text {
        case "thing/measurepoint/post", "thing/measurepoint/post/batch": return (.measurepoints, false)
        case "thing/measurepoint/resume", "thing/measurepoint/resume/batch": return (.measurepoints, true)
        case "thing/attribute/update": return (.attributes, false)
        default:
            let levels = text.split(separator: "/", omittingEmptySubsequences: false)
            guard levels.count == 4, levels[0] == "thing", levels[1] == "event", !levels[2].isEmpty, levels[3] == "post" else { return nil }
            return (.event(String(levels[2])), false)
        }
    }

    /// The posts of `params`: one object, or the array of a batch, where each may name a device of its own.
    private func posts(
        _ kind: DevicePost.Kind, of device: DeviceIdentifier, isHistory: Bool, publishedAt: Timestamp
    ) -> [DevicePost] {
        guard let params = scanner.member("params", of: JSONScanner.root) else { return [] }
        guard scanner[params].kind == .array else {
            return post(params, kind, of: device, isHistory: isHistory, publishedAt: publishedAt).map { [$0] } ?? []
        }
        var posts: [DevicePost] = []
        var element = scanner.first(in: params)
        while let node = element {
            var owner = device
            if let key = scanner.member("productKey", of: node).flatMap({ scanner.string($0) }) { owner.productKey = key }
            if let key = scanner.member("deviceKey", of: node).flatMap({ scanner.string($0) }) { owner.deviceKey = key }
            if DeviceTopic.isKey(owner.productKey), DeviceTopic.isKey(owner.deviceKey),
                let post = post(node, kind, of: owner, isHistory: isHistory, publishedAt: publishedAt)
            {
                posts.append(post)
            }
            element = scanner.next(after: node, in: params)
        }
        return posts
    }

    private func post(
        _ node: Int, _ kind: DevicePost.Kind, of device: DeviceIdentifier, isHistory: Bool, publishedAt: Timestamp
    ) -> DevicePost? {
        let container =
            switch kind {
            case .measurepoints: scanner.member("measurepoints", of: node)
            case .attributes: scanner.member("attributes", of: node)
            case .event: scanner.member("events", of: node)
            }
        guard let container, scanner[container].kind == .object else { return nil }
        var items: [DevicePost.Item] = []
        var name = scanner.first(in: container)
        while let node = name {
            if let text = scanner.string(node), !text.isEmpty { items.append(item(text, node + 1)) }
            name = scanner.next(after: node + 1, in: container)
        }
        return DevicePost(device: device, kind: kind, isHistory: isHistory, time: time(of: node) ?? publishedAt, items: items)
    }

    /// Milliseconds, as a number or, as some devices send it, as text.
    private func time(of node: Int) -> Timestamp? {
        guard let time = scanner.member("time", of: node) else { return nil }
        let milliseconds: Int64? =
            switch scanner.number(time) {
            case .int(let value): value
            case .double(let value): Int64(exactly: value.rounded())
            case .uint: nil
            case nil: scanner.string(time).flatMap { Int64($0) }
            }
        // Before 1970 nothing was measured, and beyond the year 10000 a form's own text for times ends.
        return milliseconds.flatMap { (0...253_402_300_799_999).contains($0) ? Timestamp(milliseconds: $0) : nil }
    }

    /// A value alone, or one with its quality beside it.
    private func item(_ name: String, _ node: Int) -> DevicePost.Item {
        guard scanner[node].kind == .object, let inner = scanner.member("value", of: node), isWrapper(node) else {
            return DevicePost.Item(name: name, value: value(node))
        }
        var item = DevicePost.Item(name: name, value: value(inner))
        if let digit = scanner.integer("quality", of: node) { item.quality = UInt8(exactly: digit) }
        item.reason = scanner.member("reason", of: node).flatMap { scanner.string($0) }
        return item
    }

    /// Whether an object has nothing but a value with its quality: another one is a value itself.
    private func isWrapper(_ object: Int) -> Bool {
        var name = scanner.first(in: object)
        while let node = name {
            let text = scanner.string(node)
            guard text == "value" || text == "quality" || text == "reason" else { return false }
            name = scanner.next(after: node + 1, in: object)
        }
        return true
    }

    private func value(_ node: Int) -> DevicePost.Value {
        switch scanner[node].kind {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .string: return .string(scanner.string(node) ?? "")
        case .array, .object: return .json(Array(scanner.raw(node)))
        case .number:
            switch scanner.number(node) {
            case .int(let value): return .int(value)
            case .uint(let value): return .uint(value)
            case .double(let value): return .double(value)
            case nil: return .null
            }
        }
    }
}
