import MQTTCodec
import Testing

/// `"30 02 'ab' 00"` as bytes: hexadecimal, and text in single quotes.
func bytes(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    for (index, part) in text.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
        if index % 2 == 1 {
            result += Array(part.utf8)
        } else {
            let digits = part.filter { !$0.isWhitespace }
            precondition(digits.count % 2 == 0, "odd number of digits in \(text)")
            var rest = digits[...]
            while !rest.isEmpty {
                result.append(UInt8(rest.prefix(2), radix: 16)!)
                rest = rest.dropFirst(2)
            }
        }
    }
    return result
}

/// A packet from its first byte and its body.
func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
    var length = body.count
    var header = [first]
    while length >= 0x80 {
        header.append(UInt8(length & 0x7F) | 0x80)
        length >>= 7
    }
    return header + [UInt8(length)] + body
}

func packet(_ first: UInt8, _ body: String) -> [UInt8] { packet(first, bytes(body)) }

/// A line of a table of packets that must be refused.
struct Refusal: CustomTestStringConvertible, Sendable {
    let rule: String
    let version: ProtocolVersion
    let bytes: [UInt8]
    let reasonCode: ReasonCode
    var testDescription: String { "\(rule), \(version)" }

    init(_ rule: String, _ version: ProtocolVersion, _ first: UInt8, _ body: String, _ reasonCode: ReasonCode) {
        self.rule = rule
        self.version = version
        bytes = packet(first, body)
        self.reasonCode = reasonCode
    }
}
