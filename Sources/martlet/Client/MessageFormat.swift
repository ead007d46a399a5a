import Core
import Glibc
import MQTTCodec

/// How `sub` writes a message: text with parts of the message in it, as mosquitto_sub's option -F has them.
struct MessageFormat: Equatable {
    enum Piece: Equatable {
        case text([UInt8])
        case part(UInt8)
    }

    private(set) var pieces: [Piece] = []

    /// The letters that may stand behind a %, besides % itself.
    static let letters = Array("ACDEFIJPRSUXdjlmpqrtx".utf8)

    /// - Throws: ``ClientError/usage(_:)`` that names what is not known.
    init(_ format: String) throws(ClientError) {
        var text: [UInt8] = []
        var rest = format.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let letter = rest.popFirst() else { throw .usage("--format ends with a %: write %% for one") }
                if letter == UInt8(ascii: "%") {
                    text.append(letter)
                    continue
                }
                guard MessageFormat.letters.contains(letter) else {
                    throw .usage("--format has no %\(String(decoding: [letter], as: UTF8.self))")
                }
                if !text.isEmpty { pieces.append(.text(text)) }
                text = []
                pieces.append(.part(letter))
            case UInt8(ascii: "\\"):
                guard let letter = rest.popFirst() else { throw .usage("--format ends with a \\: write \\\\ for one") }
                guard let escaped = MessageFormat.escapes[letter] else {
                    throw .usage("--format has no \\\(String(decoding: [letter], as: UTF8.self))")
                }
                text.append(escaped)
            default:
                text.append(byte)
            }
        }
        if !text.isEmpty { pieces.append(.text(text)) }
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "0"): 0, UInt8(ascii: "a"): 7, UInt8(ascii: "e"): 27,
        UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "v"): 11,
    ]

    /// Appends the message as the format says.
    func write(_ message: ReceivedMessage, to output: inout [UInt8]) {
        for piece in pieces {
            switch piece {
            case .text(let bytes): output += bytes
            case .part(let letter): write(letter, of: message, to: &output)
            }
        }
    }

    private func write(_ letter: UInt8, of message: ReceivedMessage, to output: inout [UInt8]) {
        let properties = message.properties
        switch letter {
        case UInt8(ascii: "t"): output += message.topic
        case UInt8(ascii: "p"): output += message.payload
        case UInt8(ascii: "x"): MessageFormat.hexadecimal(message.payload, isUppercase: false, to: &output)
        case UInt8(ascii: "X"): MessageFormat.hexadecimal(message.payload, isUppercase: true, to: &output)
        case UInt8(ascii: "q"): output += "\(message.qos.rawValue)".utf8
        case UInt8(ascii: "r"): output.append(UInt8(ascii: message.retain ? "1" : "0"))
        case UInt8(ascii: "d"): output.append(UInt8(ascii: message.dup ? "1" : "0"))
        case UInt8(ascii: "l"): output += "\(message.payload.count)".utf8
        case UInt8(ascii: "m"): output += "\(message.packetIdentifier)".utf8
        case UInt8(ascii: "U"): output += MessageFormat.seconds(message.receivedAt).utf8
        case UInt8(ascii: "I"): output += MessageFormat.date(message.receivedAt, fraction: false).utf8
        case UInt8(ascii: "A"): if let alias = message.topicAlias { output += "\(alias)".utf8 }
        case UInt8(ascii: "C"): output += (properties.contentType ?? "").utf8
        case UInt8(ascii: "D"): output += properties.correlationData ?? []
        case UInt8(ascii: "E"): if let expiry = message.messageExpiryInterval { output += "\(expiry)".utf8 }
        case UInt8(ascii: "F"): if let isText = properties.payloadFormatIsUTF8 { output.append(UInt8(ascii: isText ? "1" : "0")) }
        case UInt8(ascii: "R"): output += (properties.responseTopic ?? "").utf8
        case UInt8(ascii: "S"): output += message.subscriptionIdentifiers.map(String.init).joined(separator: ",").utf8
        case UInt8(ascii: "P"):
            output += properties.userProperties.map { "\($0.name):\($0.value)" }.joined(separator: " ").utf8
        case UInt8(ascii: "j"): output += MessageFormat.json(message, payloadIsJSON: false)
        case UInt8(ascii: "J"): output += MessageFormat.json(message, payloadIsJSON: true)
        default: break
        }
    }

    // MARK: Parts

    static func hexadecimal(_ bytes: UnsafeRawBufferPointer, isUppercase: Bool, to output: inout [UInt8]) {
        let digits = Array((isUppercase ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        for byte in bytes {
            output.append(digits[Int(byte >> 4)])
            output.append(digits[Int(byte & 15)])
        }
    }

    /// Seconds since 1970 with nanoseconds.
    static func seconds(_ nanoseconds: Int64) -> String {
        let fraction = String(nanoseconds % 1_000_000_000)
        return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
    }

    /// ISO 8601 in the local time zone: `2026-01-31T12:34:56+0100`, or with microseconds.
    static func date(_ nanoseconds: Int64, fraction: Bool) -> String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func text(_ format: String) -> String {
            var buffer = [CChar](repeating: 0, count: 64)
            let count = strftime(&buffer, buffer.count, format, &parts)
            return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard fraction else { return text("%Y-%m-%dT%H:%M:%S%z") }
        let micro = String(nanoseconds / 1000 % 1_000_000)
        return text("%Y-%m-%dT%H:%M:%S") + "." + String(repeating: "0", count: 6 - micro.utf8.count) + micro + text("%z")
    }
}
