/// Latencies in nanoseconds, counted in buckets whose width grows with the value: each power of two is divided into 64
/// buckets, so a percentile is right to 1.6 %. Memory is fixed, and recording allocates nothing.
///
///     0, 1, 2, … 127 │ 128, 130, … 254 │ 256, 260, … 508 │ …          lower bounds; 64 buckets from 128 on per power
struct LatencyHistogram {
    private static let precisionBits = 6
    /// 2⁴⁰ − 1 ns, 18 minutes; what is longer is counted there.
    static let largest: Int64 = (1 << 40) - 1

    private var counts: [UInt64]
    private(set) var count: UInt64 = 0
    /// The longest latency recorded, exact; 0 without any.
    private(set) var maximum: Int64 = 0

    init() {
        counts = Array(repeating: 0, count: LatencyHistogram.bucket(of: LatencyHistogram.largest) + 1)
    }

    /// Counts a latency in nanoseconds; a negative one, which a clock that never jumps does not give, counts as 0.
    mutating func record(_ nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        counts[LatencyHistogram.bucket(of: min(value, LatencyHistogram.largest))] &+= 1
        count &+= 1
        if value > maximum { maximum = value }
    }

    /// The latency that the given share of the samples does not exceed, as the upper bound of its bucket; nil without
    /// samples.
    ///
    /// - Parameter share: 0…1.
    func percentile(_ share: Double) -> Int64? {
        guard count > 0 else { return nil }
        let rank = max(1, UInt64((min(max(share, 0), 1) * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, samples) in counts.enumerated() {
            seen += samples
            if seen >= rank { return min(LatencyHistogram.upperBound(of: bucket), maximum) }
        }
        return maximum
    }

    /// - Parameter value: 0…``largest``.
    private static func bucket(of value: Int64) -> Int {
        let exponent = 63 - (value | 1).leadingZeroBitCount
        let shift = max(0, exponent - precisionBits)
        return shift << precisionBits + Int(value >> Int64(shift))
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        let shift = max(0, bucket >> precisionBits - 1)
        let steps = Int64(bucket - shift << precisionBits)
        return (steps + 1) << Int64(shift) - 1
    }
}
