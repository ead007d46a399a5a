public import Core

/// Corrects the source time of measurement-point posts that were made before the box knew the time.
public enum MeasurepointTime {
    /// How long (ms) before its post a value may have been read.
    static let longestDelay: Int64 = 3_600_000
    /// How much later (ms) than its post a value's time may be.
    static let tolerance: Int64 = 60_000

    /// Whether a value's time is by the box's own clock: it lies up to an hour before its post by that clock. A device that tells
    /// another time has a clock of its own.
    public static func isOfBox(_ time: Timestamp, publishedAt: Timestamp) -> Bool {
        let (delay, overflow) = publishedAt.milliseconds.subtractingReportingOverflow(time.milliseconds)
        return !overflow && (-tolerance...longestDelay).contains(delay)
    }

    /// A post with its `params.time` moved; nothing else of the text changes.
    ///
    /// Only a time by the box's own clock is moved (``isOfBox(_:publishedAt:)``). A device that knows the time better than the box
    /// keeps its own.
    ///
    /// - Parameters:
    ///   - payload: of a message on `/sys/+/+/thing/measurepoint/post`.
    ///   - publishedAt: the message's time, corrected already.
    ///   - correction: what it was corrected by, in ms.
    ///   - scanner: kept by the caller, so that nothing is allocated for it.
    /// - Returns: nil if there is nothing to change: the text is no JSON object, has no `params.time` that is a whole number,
    ///   or that is not the box's.
    public static func corrected(
        _ payload: UnsafeRawBufferPointer, publishedAt: Timestamp, by correction: Int64, scanner: inout JSONScanner
    ) -> [UInt8]? {
        guard correction != 0, (try? scanner.scan(payload)) != nil,
            let params = scanner.member("params", of: JSONScanner.root), let time = scanner.member("time", of: params),
            scanner[time].kind == .number, let old = Int64(String(decoding: scanner.raw(time), as: UTF8.self))
        else { return nil }
        let (new, overflow) = old.addingReportingOverflow(correction)
        guard !overflow, isOfBox(Timestamp(milliseconds: new), publishedAt: publishedAt) else { return nil }
        let node = scanner[time]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + 8)
        bytes.append(contentsOf: payload[..<Int(node.start)])
        bytes.append(contentsOf: "\(new)".utf8)
        bytes.append(contentsOf: payload[Int(node.end)...])
        return bytes
    }
}
