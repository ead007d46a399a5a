/// What the characters of a serial line cost in time (Modbus over Serial Line 1.02 §2.5.1.1).
struct SerialTiming: Sendable, Hashable {
    private let characterNanoseconds: Int64
    /// The silence between two frames: 3.5 characters, and 1.75 ms above 19,200 baud.
    let silence: Duration

    init(_ line: SerialLine) {
        let bits = 1 + line.dataBits + (line.parity == .none ? 0 : 1) + line.stopBits
        characterNanoseconds = Int64(bits) * 1_000_000_000 / Int64(max(1, line.baudRate))
        silence = line.baudRate > 19_200 ? .microseconds(1750) : .nanoseconds(characterNanoseconds * 7 / 2)
    }

    func duration(ofCharacters count: Int) -> Duration { .nanoseconds(characterNanoseconds * Int64(count)) }
}

extension SerialLine.Parity {
    /// libmodbus' word for it.
    var letter: CChar {
        switch self {
        case .none: CChar(UInt8(ascii: "N"))
        case .even: CChar(UInt8(ascii: "E"))
        case .odd: CChar(UInt8(ascii: "O"))
        }
    }
}
