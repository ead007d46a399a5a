/// In which order a value's bytes come in its registers, named after the bytes A (most significant) to D of a 32-bit value
/// as the device sends them.
///
/// | order | 16 bit | 32 bit | 64 bit | text "MARTLET!" |
/// |---|---|---|---|---|
/// | `abcd` big endian | AB | AB CD | AB CD EF GH | MA RT LE T! |
/// | `cdab` words reversed | AB | CD AB | GH EF CD AB | MA RT LE T! |
/// | `badc` bytes swapped in each word | BA | BA DC | BA DC FE HG | AM TR EL !T |
/// | `dcba` little endian | BA | DC BA | HG FE DC BA | AM TR EL !T |
public enum WordOrder: String, Sendable, CaseIterable {
    case abcd
    case cdab
    case badc
    case dcba

    /// Whether the two bytes of each register are swapped.
    var swapsBytes: Bool { self == .badc || self == .dcba }
    /// Whether the least significant register comes first.
    var reversesWords: Bool { self == .cdab || self == .dcba }

    func word(_ register: UInt16) -> UInt16 { swapsBytes ? register.byteSwapped : register }

    /// The number in `registers`, of which there are 1, 2 or 4.
    func number(_ registers: UnsafeBufferPointer<UInt16>) -> UInt64 {
        var number: UInt64 = 0
        if reversesWords {
            for register in registers.reversed() { number = number << 16 | UInt64(word(register)) }
        } else {
            for register in registers { number = number << 16 | UInt64(word(register)) }
        }
        return number
    }

    /// The registers that hold the low `count` × 16 bits of `number`; `count` is 1, 2 or 4.
    func registers(_ number: UInt64, count: Int) -> [UInt16] {
        var registers: [UInt16] = []
        registers.reserveCapacity(count)
        for index in 0..<count {
            let shift = reversesWords ? index : count - 1 - index
            registers.append(word(UInt16(truncatingIfNeeded: number >> UInt64(16 * shift))))
        }
        return registers
    }
}
