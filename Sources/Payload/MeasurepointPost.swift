public import Core

/// Writes the posts of a device's samples (`thing/measurepoint/post`):
///
///     {"id":"17","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{
///         "temp":{"value":21.5,"quality":9},"flow":{"value":null,"quality":0,"reason":"timeout"}},"time":1700000000000}}
///
/// A post has one `time`, so samples of different source times go into separate posts, in the order in which the times first
/// appear. Two samples of one point at the same time, which one object cannot hold, go into separate posts too. Value and
/// quality digit (``QualityDigit``) stand together; a quality that is not good also has its `reason`.
public struct MeasurepointPost: ~Copyable {
    /// Bytes after which a post is closed and another one begun: half of what the platform accepts (512 KiB), since one
    /// value may be long.
    public static let softLimit = 256 * 1024

    private var buffer: [UInt8] = []
    private var isWritten: [Bool] = []
    private var points: Set<String> = []

    public init() {}

    /// Hands out the payload of each post that the samples need. The buffer is used again for the next one.
    ///
    /// - Parameters:
    ///   - samples: samples of one device.
    ///   - identifier: the `id` of the next post; counts up by one for each.
    ///   - body: takes the payload, valid during the call, and the posts' source time.
    public mutating func write(
        _ samples: [Sample], identifier: inout UInt64, _ body: (UnsafeRawBufferPointer, Timestamp) -> Void
    ) {
        isWritten.removeAll(keepingCapacity: true)
        isWritten.append(contentsOf: repeatElement(false, count: samples.count))
        var first = 0
        while first < samples.count {
            if isWritten[first] {
                first += 1
                continue
            }
            writePost(samples, from: first, identifier: identifier)
            identifier &+= 1
            buffer.withUnsafeBytes { body($0, samples[first].time) }
        }
        points.removeAll(keepingCapacity: true)
    }

    /// Writes the samples that have the time of `samples[first]` and are not written yet.
    private mutating func writePost(_ samples: [Sample], from first: Int, identifier: UInt64) {
        let time = samples[first].time
        points.removeAll(keepingCapacity: true)
        buffer.removeAll(keepingCapacity: true)
        var writer = JSONWriter(taking: &buffer)
        writer.beginObject()
        writer.name("id")
        writer.quoted(identifier)
        writer.envelope(version: "1.1", method: "thing.measurepoint.post")
        writer.beginObject()
        writer.name("measurepoints")
        writer.beginObject()
        for index in first..<samples.count where !isWritten[index] && samples[index].time == time {
            guard writer.bytes.count < Self.softLimit else { break }
            guard points.insert(samples[index].point).inserted else { continue }
            isWritten[index] = true
            writer.sample(samples[index])
        }
        writer.endObject()
        writer.name("time")
        writer.integer(time.milliseconds)
        writer.endObject()
        writer.endObject()
        buffer = writer.finish()
    }
}

extension JSONWriter {
    /// A point's name with its value, quality digit and reason.
    mutating func sample(_ sample: Sample) {
        name(sample.point)
        beginObject()
        name("value")
        value(sample.value)
        name("quality")
        integer(UInt64(QualityDigit.of(sample.quality)))
        if let reason = sample.quality.reason {
            name("reason")
            string(reason.rawValue)
        }
        endObject()
    }
}
