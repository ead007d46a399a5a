import Glibc

/// Seeds for as many rounds of a fuzzer as a run of the tests can afford, the same in each; or others for as long as one
/// likes:
///
/// * `MARTLET_FUZZ_SECONDS`: each fuzzer runs that long, from a random seed on, which it prints.
/// * `MARTLET_FUZZ_SEED`: each fuzzer does that one round.
public struct FuzzSeeds: Sequence, IteratorProtocol {
    private var next_: UInt64
    private var rest: Int
    private var deadline: Int?

    /// - Parameters:
    ///   - name: of the fuzzer, for what is printed.
    ///   - count: of rounds in an ordinary run.
    public init(_ name: String, count: Int) {
        if let seed = FuzzSeeds.number("MARTLET_FUZZ_SEED") {
            (next_, rest) = (seed, 1)
        } else if let seconds = FuzzSeeds.number("MARTLET_FUZZ_SECONDS") {
            (next_, rest, deadline) = (UInt64.random(in: 0..<1 << 48), .max, FuzzSeeds.now + Int(seconds))
            print("\(name): seeds from \(next_)")
        } else {
            (next_, rest) = (1, count)
        }
    }

    public mutating func next() -> UInt64? {
        guard rest > 0, deadline.map({ FuzzSeeds.now < $0 }) ?? true else { return nil }
        rest -= 1
        defer { next_ += 1 }
        return next_
    }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }

    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
}
