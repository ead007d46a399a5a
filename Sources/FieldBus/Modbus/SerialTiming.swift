/// What the characters of a serial line cost in time (Modbus over Serial Line 1.02 §2.5.1.1).
struct SerialTiming: Sendable, Hashable {
    private let characterNanoseconds: Int64
    /// The silence between two frames: 3.5 characters, and 1.75 ms above 19,200 baud.
    let silence: Duration
    /// Bytes that come within this time of each other are of one burst.
    let burst: Duration

    /// Of a line behind a device server, whose speed nobody here knows: the server keeps the silence itself, and a frame may
    /// come in several segments.
    static let behindNetwork = SerialTiming(characterNanoseconds: 0, silence: .zero, burst: .milliseconds(20))

    private init(characterNanoseconds: Int64, silence: Duration, burst: Duration) {
        self.characterNanoseconds = characterNanoseconds
        self.silence = silence
        self.burst = burst
    }

    init(_ line: SerialLine) {
        let bits = 1 + line.dataBits + (line.parity == .none ? 0 : 1) + line.stopBits
        let character = Int64(bits) * 1_000_000_000 / Int64(max(1, line.baudRate))
        let silence: Duration = line.baudRate > 19_200 ? .microseconds(1750) : .nanoseconds(character * 7 / 2)
        self.init(characterNanoseconds: character, silence: silence, burst: silence)
    }

    func duration(ofCharacters count: Int) -> Duration { .nanoseconds(characterNanoseconds * Int64(count)) }
}
