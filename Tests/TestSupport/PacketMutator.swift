/// What goes wrong with packets: bits, lengths, order, ends.
public struct PacketMutator {
    public var random: SeededRandom
    /// Packets that parts are taken from.
    private let donors: [[UInt8]]

    public init(seed: UInt64, donors: [[UInt8]]) {
        random = SeededRandom(seed: seed)
        self.donors = donors
    }

    // MARK: One packet

    /// A packet with some of its bytes changed. Most of the time its Remaining Length is right again afterwards, so that the
    /// damage reaches the decoder behind it.
    public mutating func damaged(_ packet: [UInt8]) -> [UInt8] {
        var bytes = packet
        for _ in 0..<(1 + random.below(random.once(in: 4) ? 8 : 2)) { damage(&bytes) }
        return random.once(in: 4) ? bytes : PacketMutator.withRightLength(bytes)
    }

    /// The packet with the Remaining Length that its bytes need.
    public static func withRightLength(_ packet: [UInt8]) -> [UInt8] {
        guard let first = packet.first, packet.count >= 2 else { return packet }
        // The old length ends at the first byte without the continuation bit.
        let lengthEnd = packet.dropFirst().prefix(4).firstIndex { $0 < 0x80 } ?? min(4, packet.count - 1)
        let body = packet[(lengthEnd + 1)...]
        return [first] + variableByteInteger(body.count) + body
    }

    public static func variableByteInteger(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static let tellingBytes: [UInt8] = [0, 1, 2, 0x0B, 0x23, 0x26, 0x7F, 0x80, 0xC0, 0xED, 0xFE, 0xFF]

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = [0]
            return
        }
        let at = random.below(bytes.count)
        switch random.below(12) {
        case 0, 1: bytes[at] ^= 1 << UInt8(random.below(8))
        case 2: bytes[at] = PacketMutator.tellingBytes[random.below(PacketMutator.tellingBytes.count)]
        case 3: bytes[at] = UInt8(random.below(256))
        case 4: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(6)))
        case 5: bytes.insert(contentsOf: random.bytes(1 + random.below(6)), at: at)
        case 6: bytes.removeLast(random.below(bytes.count))
        // A length of two bytes that is a little or very wrong.
        case 7 where at + 1 < bytes.count:
            let length = Int(bytes[at]) << 8 | Int(bytes[at + 1])
            let lie = random.once(in: 2) ? max(0, length - 2 + random.below(5)) : random.below(65_536)
            bytes[at] = UInt8(lie >> 8 & 0xFF)
            bytes[at + 1] = UInt8(lie & 0xFF)
        // A length of one byte likewise: properties, Remaining Length.
        case 8: bytes[at] = bytes[at] &+ UInt8(truncatingIfNeeded: random.below(5) - 2)
        // Some bytes twice: a property, a filter.
        case 9:
            let end = min(bytes.count, at + 1 + random.below(24))
            bytes.insert(contentsOf: bytes[at..<end], at: end)
        default: splice(&bytes, at: at)
        }
    }

    /// Puts a piece of another packet in, over what is there or before it.
    private mutating func splice(_ bytes: inout [UInt8], at: Int) {
        guard !donors.isEmpty else { return }
        let donor = donors[random.below(donors.count)]
        let from = random.below(donor.count)
        let piece = donor[from..<min(donor.count, from + 1 + random.below(24))]
        if random.once(in: 2) {
            bytes.insert(contentsOf: piece, at: at)
        } else {
            bytes.replaceSubrange(at..<min(bytes.count, at + piece.count), with: piece)
        }
    }

    // MARK: A conversation

    /// Packets some of which are missing, doubled, at another place, damaged, or from another conversation.
    public mutating func damaged(_ conversation: [[UInt8]]) -> [[UInt8]] {
        var packets = conversation
        for _ in 0..<(1 + random.below(6)) {
            guard !packets.isEmpty else { return [random.bytes(8)] }
            let at = random.below(packets.count)
            switch random.below(10) {
            case 0: packets.remove(at: at)
            case 1: packets.insert(packets[at], at: at)
            case 2: packets.swapAt(at, random.below(packets.count))
            case 3: if !donors.isEmpty { packets.insert(donors[random.below(donors.count)], at: at) }
            case 4: packets.insert(random.bytes(1 + random.below(20)), at: at)
            case 5:
                // Many times the same.
                packets.insert(contentsOf: Array(repeating: packets[at], count: random.below(40)), at: at)
            default: packets[at] = damaged(packets[at])
            }
        }
        return packets
    }

    /// The bytes in the pieces in which they arrive: as they are, all in one, or byte by byte.
    public mutating func pieces(_ packets: [[UInt8]]) -> [[UInt8]] {
        switch random.below(4) {
        case 0: return packets
        case 1: return [Array(packets.joined())]
        case 2: return Array(packets.joined()).pieces(of: 1 + random.below(3))
        default:
            var rest = Array(packets.joined())[...]
            var pieces: [[UInt8]] = []
            while !rest.isEmpty {
                let piece = rest.prefix(1 + random.below(100))
                pieces.append(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            return pieces
        }
    }
}
