import Core
import Payload

/// The points and the time of a device's post, as the platform takes them: a value, or a number with its quality digit. What
/// the box adds for its own readers (a reason, a value that is not there) is left out.
struct EnOSMeasurepoints {
    /// `"measurepoints":{…},"time":…`, the inside of a post's params.
    let members: [UInt8]

    /// - Parameters:
    ///   - time: when the message was published here; a post that has no time of its own is given it, since the platform
    ///     would otherwise take the time of arrival.
    /// - Returns: nil if it is no post, or has no point with a value.
    init?(payload: UnsafeRawBufferPointer, publishedAt time: Timestamp, sendsQuality: Bool, scanner: inout JSONScanner) {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return nil
        }
        guard let params = scanner.member("params", of: JSONScanner.root),
            let points = scanner.member("measurepoints", of: params), scanner[points].kind == .object
        else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count)
        bytes += "\"measurepoints\":".utf8
        guard Self.append(points: points, of: scanner, sendsQuality: sendsQuality, to: &bytes) else { return nil }
        bytes += ",\"time\":".utf8
        if let own = scanner.member("time", of: params), case .int? = scanner.number(own) {
            bytes += scanner.raw(own)
        } else {
            bytes += "\(time.milliseconds)".utf8
        }
        members = bytes
    }

    /// A device's answer to `measurepoint/get` as the platform has it: `data` maps points to their values alone. One without a
    /// value is left out.
    static func plain(reply: UnsafeRawBufferPointer, scanner: inout JSONScanner) -> [UInt8] {
        guard (try? scanner.scan(reply)) != nil, let data = scanner.member("data", of: JSONScanner.root), scanner[data].kind == .object
        else { return Array(reply) }
        let old = scanner[data]
        var bytes = Array(reply[..<Int(old.start)])
        _ = append(points: data, of: scanner, sendsQuality: false, to: &bytes)
        bytes += reply[Int(old.end)...]
        return bytes
    }

    /// Appends an object of points without those that have no value.
    ///
    /// - Returns: false if it is empty.
    private static func append(
        points: Int, of scanner: borrowing JSONScanner, sendsQuality: Bool, to bytes: inout [UInt8]
    ) -> Bool {
        bytes.append(UInt8(ascii: "{"))
        var isEmpty = true
        var name = scanner.first(in: points)
        while let node = name {
            let value = node + 1
            name = scanner.next(after: value, in: points)
            let start = bytes.count
            if !isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes += scanner.raw(node)
            bytes.append(UInt8(ascii: ":"))
            if append(value, of: scanner, sendsQuality: sendsQuality, to: &bytes) {
                isEmpty = false
            } else {
                bytes.removeSubrange(start...)
            }
        }
        bytes.append(UInt8(ascii: "}"))
        return !isEmpty
    }

    /// - Returns: false if there is no value, and nothing is appended.
    private static func append(
        _ node: Int, of scanner: borrowing JSONScanner, sendsQuality: Bool, to bytes: inout [UInt8]
    ) -> Bool {
        guard scanner[node].kind == .object, let inner = scanner.member("value", of: node),
            let quality = scanner.member("quality", of: node)
        else {
            guard scanner[node].kind != .null else { return false }
            bytes += scanner.raw(node)
            return true
        }
        switch scanner[inner].kind {
        case .null:
            return false
        case .number where sendsQuality && scanner[quality].kind == .number:
            bytes += "{\"value\":".utf8
            bytes += scanner.raw(inner)
            bytes += ",\"quality\":".utf8
            bytes += scanner.raw(quality)
            bytes.append(UInt8(ascii: "}"))
        default:
            bytes += scanner.raw(inner)
        }
        return true
    }

    /// A post under the device's own topic.
    func post(identifier: UInt64, isHistory: Bool) -> [UInt8] {
        var bytes = Self.opening(identifier, method: isHistory ? "thing.measurepoint.resume" : "thing.measurepoint.post")
        bytes += ",\"params\":{".utf8
        bytes += members
        bytes += "}}".utf8
        return bytes
    }

    static func opening(_ identifier: UInt64, method: String) -> [UInt8] {
        Array("{\"id\":\"\(identifier)\",\"version\":\"1.1\",\"method\":\"\(method)\"".utf8)
    }

    /// Several posts under the gateway's topic. A device that is not logged in, or a point that is not in the model, does not
    /// keep the rest from being stored.
    struct Batch {
        private var items: [UInt8] = []
        private(set) var count = 0
        /// Of everything around the items.
        private static let overhead = 256

        /// Bytes of the payload, no less than it will have.
        var byteCount: Int { items.count + Self.overhead }

        static func byteCount(of points: EnOSMeasurepoints, _ device: DeviceIdentifier) -> Int {
            // A key may need escapes, six bytes for one.
            points.members.count + 6 * (device.productKey.utf8.count + device.deviceKey.utf8.count) + 64
        }

        mutating func append(_ points: EnOSMeasurepoints, of device: DeviceIdentifier) {
            if count > 0 { items.append(UInt8(ascii: ",")) }
            var writer = JSONWriter(taking: &items)
            writer.beginObject()
            writer.keys(of: device)
            items = writer.finish()
            items.append(UInt8(ascii: ","))
            items += points.members
            items.append(UInt8(ascii: "}"))
            count += 1
        }

        func payload(identifier: UInt64, isHistory: Bool) -> [UInt8] {
            var bytes = EnOSMeasurepoints.opening(
                identifier, method: isHistory ? "thing.measurepoint.resume.batch" : "thing.measurepoint.post.batch")
            bytes += ",\"allowOfflineSubDevice\":true,\"skipInvalidMeasurepoints\":true,\"params\":[".utf8
            bytes += items
            bytes += "]}".utf8
            return bytes
        }
    }
}
