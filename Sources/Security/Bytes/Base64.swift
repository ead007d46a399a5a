/// Base 64 with padding (RFC 4648 §4).
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var count = 0
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            count += 1
            if count == 3 {
                for shift in [18, 12, 6, 0] { text.append(alphabet[Int(group >> UInt32(shift) & 63)]) }
                (group, count) = (0, 0)
            }
        }
        switch count {
        case 1: text += [alphabet[Int(group >> 2)], alphabet[Int(group << 4 & 63)], padding, padding]
        case 2: text += [alphabet[Int(group >> 10)], alphabet[Int(group >> 4 & 63)], alphabet[Int(group << 2 & 63)], padding]
        default: break
        }
        return text
    }

    /// Nil if it is not exactly what ``encode(_:)`` makes: no white space, all of the padding, no stray bits.
    public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var count = 0
        var padded = 0
        for character in text {
            if character == padding {
                padded += 1
                group <<= 6
            } else {
                guard padded == 0, let value = value(of: character) else { return nil }
                group = group << 6 | value
            }
            count += 1
            if count == 4 {
                guard padded <= 2 else { return nil }
                let three = [UInt8(group >> 16), UInt8(group >> 8 & 255), UInt8(group & 255)]
                guard three.suffix(padded).allSatisfy({ $0 == 0 }) else { return nil }
                bytes += three.dropLast(padded)
                (group, count) = (0, 0)
            }
        }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
