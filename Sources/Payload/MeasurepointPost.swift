public import Core

/// Writes the posts of a device's samples (`thing/measurepoint/post`):
///
///     {"id":"17","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{
///         "temp":{"value":21.5,"quality":9},"flow":{"value":null,"quality":0,"reason":"timeout"}},"time":1700000000000}}
///
/// A post has one `time`, so samples of different source times go into separate posts, in the order in which the times first
/// appear. Two samples of one point at the same time, which one object cannot hold, go into separate posts too. Value and
/// quality digit (``QualityDigit``) stand together; a quality that is not good also has its `reason`.
///
/// The work is in proportion to the number of samples, however many times they have.
public struct MeasurepointPost: ~Copyable {
    /// Bytes after which a post is closed and another one begun: half of what the platform accepts (512 KiB), since one
    /// value may be long.
    public static let softLimit = 256 * 1024

    private var buffer: [UInt8] = []
    /// The points of the samples that have been looked at.
    private var points: Set<String> = []
    /// The samples of one post, by their place.
    private var order: [Int] = []

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
        guard !samples.isEmpty else { return }
        if isOnePost(samples) {
            order.removeAll(keepingCapacity: true)
            order.append(contentsOf: samples.indices)
            writePosts(samples, order[...], identifier: &identifier, body)
        } else {
            for places in MeasurepointPost.grouped(samples) { writePosts(samples, places[...], identifier: &identifier, body) }
        }
    }

    /// Whether all samples have one time and each is of another point, as is usual.
    private mutating func isOnePost(_ samples: [Sample]) -> Bool {
        points.removeAll(keepingCapacity: true)
        for sample in samples where sample.time != samples[0].time || !points.insert(sample.point).inserted { return false }
        return true
    }

    /// The places of samples that may stand together: those of one time, of each point the first, then of each the second…
    private static func grouped(_ samples: [Sample]) -> [[Int]] {
        struct Group {
            var rounds: [[Int]] = []
            /// How often a point has come.
            var counts: [String: Int] = [:]
        }
        var groups: [Group] = []
        var places: [Timestamp: Int] = [:]
        for (index, sample) in samples.enumerated() {
            let place = places[sample.time] ?? groups.count
            if place == groups.count {
                places[sample.time] = place
                groups.append(Group())
            }
            let round = groups[place].counts[sample.point, default: 0]
            groups[place].counts[sample.point] = round + 1
            if round == groups[place].rounds.count { groups[place].rounds.append([]) }
            groups[place].rounds[round].append(index)
        }
        return groups.flatMap(\.rounds)
    }

    /// Writes samples of one time, each of another point: more than one post only if they are long.
    private mutating func writePosts(
        _ samples: [Sample], _ places: ArraySlice<Int>, identifier: inout UInt64, _ body: (UnsafeRawBufferPointer, Timestamp) -> Void
    ) {
        var places = places
        while let first = places.first {
            writePost(samples, &places, identifier: identifier)
            identifier &+= 1
            buffer.withUnsafeBytes { body($0, samples[first].time) }
        }
    }

    /// Writes as many samples as a post takes, at least one, and takes them away from `places`.
    private mutating func writePost(_ samples: [Sample], _ places: inout ArraySlice<Int>, identifier: UInt64) {
        guard let first = places.first else { return }
        let time = samples[first].time
        buffer.removeAll(keepingCapacity: true)
        var writer = JSONWriter(taking: &buffer)
        writer.beginObject()
        writer.name("id")
        writer.quoted(identifier)
        writer.envelope(version: "1.1", method: "thing.measurepoint.post")
        writer.beginObject()
        writer.name("measurepoints")
        writer.beginObject()
        while let place = places.first, writer.bytes.count < Self.softLimit {
            places.removeFirst()
            writer.sample(samples[place])
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
        valueAndQuality(sample.value, sample.quality)
        endObject()
    }

    /// The members that tell a value, its quality digit and its reason.
    mutating func valueAndQuality(_ value: Value?, _ quality: Quality) {
        name("value")
        self.value(value)
        name("quality")
        integer(UInt64(QualityDigit.of(quality)))
        if let reason = quality.reason {
            name("reason")
            string(reason.rawValue)
        }
    }
}
