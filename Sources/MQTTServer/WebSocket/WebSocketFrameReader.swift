import NIOCore

// Frames as a client sends them (RFC 6455 §5.2):
//
//     ┌───┬───────┬──────┬─┬───────┬────────────────────┬──────┬─────────
//     │FIN│RSV 0 0│opcode│1│ length│ 2 or 8 more bytes  │ mask │ payload ^ mask
//     └───┴───────┴──────┴─┴───────┴────────────────────┴──────┴─────────
//       1     3      4    1    7      if length is 126, 127    4
//
// What a data frame holds is given on as it comes: [MQTT-6.0.0-2] packets need not be aligned to frames, so frames need no
// room of their own and may be of any size. Only control frames, of 125 bytes at most, are put together.

/// Reads the frames of one connection.
struct WebSocketFrameReader {
    /// Why nothing more is read.
    enum End: Equatable {
        /// The client's CLOSE, with its code.
        case closed(WebSocketCloseCode)
        case failed(WebSocketCloseCode, reason: String)
    }

    struct Outcome: Equatable {
        /// The payload of the last PING, if any came.
        var ping: [UInt8]?
        var end: End?
    }

    private struct Header {
        var opcode: WebSocketOpcode
        var isFinal: Bool
        var length: UInt64
        var mask: UInt32
    }

    private enum Parsed {
        case needMoreBytes
        case header(Header, length: Int)
        case failure(WebSocketCloseCode, String)
    }

    /// The beginning of a frame's header whose rest has not come.
    private var begun: [UInt8] = []
    /// Bytes of the frame's payload that have not come.
    private var left: UInt64 = 0
    /// The mask, turned so that the next byte's part is the lowest.
    private var mask: UInt32 = 0
    private var opcode = WebSocketOpcode.binary
    /// What has come of a control frame.
    private var control: [UInt8] = []
    /// A message has begun whose last frame has not come.
    private var isFragmented = false

    /// Reads all of `bytes`, up to a frame that ends the connection.
    ///
    /// - Parameter output: gets what data frames hold.
    mutating func read(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) -> Outcome {
        var outcome = Outcome()
        var at = 0
        while at < bytes.count {
            if left > 0 {
                let count = Int(min(left, UInt64(bytes.count - at)))
                take(UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)]), into: &output)
                at += count
                left -= UInt64(count)
            } else {
                switch nextHeader(bytes, &at) {
                case .needMoreBytes:
                    return outcome
                case .failure(let code, let reason):
                    outcome.end = .failed(code, reason: reason)
                    return outcome
                case .header(let header, _):
                    if let reason = begin(header) {
                        outcome.end = .failed(.protocolError, reason: reason)
                        return outcome
                    }
                }
            }
            if left == 0, opcode.isControl {
                finishControl(&outcome)
                if outcome.end != nil { return outcome }
            }
        }
        return outcome
    }

    /// The header at `at`, which moves behind it.
    private mutating func nextHeader(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> Parsed {
        if begun.isEmpty {
            let parsed = WebSocketFrameReader.parse(UnsafeRawBufferPointer(rebasing: bytes[at...]))
            switch parsed {
            case .needMoreBytes:
                begun = Array(bytes[at...])
                at = bytes.count
            case .header(_, let length): at += length
            case .failure: break
            }
            return parsed
        }
        while at < bytes.count {
            begun.append(bytes[at])
            at += 1
            let parsed = begun.withUnsafeBytes(WebSocketFrameReader.parse)
            if case .needMoreBytes = parsed { continue }
            begun = []
            return parsed
        }
        return .needMoreBytes
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) -> Parsed {
        guard let first = bytes.first else { return .needMoreBytes }
        guard first & 0x70 == 0 else { return .failure(.protocolError, "a reserved bit is set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { return .failure(.protocolError, "unknown opcode") }
        // [MQTT-6.0.0-1] any other type of data frame ends the connection.
        if opcode == .text { return .failure(.unsupportedData, "a text frame: MQTT is sent in binary frames") }
        guard bytes.count >= 2 else { return .needMoreBytes }
        // RFC 6455 §5.1
        guard bytes[1] & 0x80 != 0 else { return .failure(.protocolError, "a frame without mask") }
        let isFinal = first & 0x80 != 0
        var length = UInt64(bytes[1] & 0x7F)
        // RFC 6455 §5.5
        if opcode.isControl, !isFinal || length > 125 {
            return .failure(.protocolError, "a control frame that is fragmented or longer than 125 bytes")
        }
        let more = length == 126 ? 2 : length == 127 ? 8 : 0
        guard bytes.count >= 2 + more + 4 else { return .needMoreBytes }
        if more > 0 {
            length = bytes[2..<(2 + more)].reduce(0) { $0 << 8 | UInt64($1) }
            // RFC 6455 §5.2
            guard length >= (more == 2 ? 126 : 65_536), length >> 63 == 0 else {
                return .failure(.protocolError, "a frame's length is not in its shortest form")
            }
        }
        let mask = bytes[(2 + more)..<(6 + more)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return .header(Header(opcode: opcode, isFinal: isFinal, length: length, mask: mask), length: 6 + more)
    }

    /// - Returns: what is wrong with the frame at this place.
    private mutating func begin(_ header: Header) -> String? {
        switch header.opcode {
        case .continuation:
            if !isFragmented { return "a continuation of nothing" }
            isFragmented = !header.isFinal
        case .binary, .text:
            if isFragmented { return "a message begins within another" }
            isFragmented = !header.isFinal
        case .close, .ping, .pong:
            control.removeAll()
        }
        opcode = header.opcode
        left = header.length
        mask = header.mask
        return nil
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        if opcode.isControl {
            for byte in bytes {
                control.append(byte ^ UInt8(truncatingIfNeeded: mask))
                mask = mask >> 8 | mask << 24
            }
            return
        }
        let mask = self.mask
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count) { target in
            WebSocketFrameReader.unmask(bytes, mask: mask, into: target)
            return bytes.count
        }
        let turn = UInt32(bytes.count % 4) * 8
        if turn > 0 { self.mask = mask >> turn | mask << (32 - turn) }
    }

    /// Copies and unmasks, eight bytes at a time.
    private static func unmask(_ bytes: UnsafeRawBufferPointer, mask: UInt32, into target: UnsafeMutableRawBufferPointer) {
        guard let from = bytes.baseAddress, let to = target.baseAddress else { return }
        let wide = (UInt64(mask) << 32 | UInt64(mask)).littleEndian
        var at = 0
        while at + 8 <= bytes.count {
            to.storeBytes(of: from.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ wide, toByteOffset: at, as: UInt64.self)
            at += 8
        }
        while at < bytes.count {
            to.storeBytes(of: bytes[at] ^ UInt8(truncatingIfNeeded: mask >> UInt32(at % 4 * 8)), toByteOffset: at, as: UInt8.self)
            at += 1
        }
    }

    private mutating func finishControl(_ outcome: inout Outcome) {
        switch opcode {
        case .ping: outcome.ping = control
        case .close: outcome.end = WebSocketFrameReader.end(of: control)
        default: break
        }
        control = []
        // The frame is over: what follows is a header.
        opcode = .binary
    }

    /// RFC 6455 §5.5.1, §7.4
    private static func end(of close: [UInt8]) -> End {
        if close.isEmpty { return .closed(.normal) }
        guard close.count >= 2 else { return .failed(.protocolError, reason: "a CLOSE with half a code") }
        let code = UInt16(close[0]) << 8 | UInt16(close[1])
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: return .closed(WebSocketCloseCode(rawValue: code))
        default: return .failed(.protocolError, reason: "a CLOSE with a code that is not for that")
        }
    }
}

/// RFC 6455 §11.8
enum WebSocketOpcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

/// RFC 6455 §7.4.1
struct WebSocketCloseCode: Equatable {
    let rawValue: UInt16

    static let normal = WebSocketCloseCode(rawValue: 1000)
    static let protocolError = WebSocketCloseCode(rawValue: 1002)
    static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
}
