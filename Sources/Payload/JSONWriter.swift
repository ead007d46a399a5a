public import Core

/// Writes JSON at the end of a byte array that it owns for the time being. Commas come by themselves; the caller pairs
/// `begin` with `end` and gives a name before each member's value.
///
///     var writer = JSONWriter(taking: &buffer)   // keeps the array's capacity
///     writer.beginObject()
///     writer.name("id"); writer.string("1")
///     writer.endObject()
///     buffer = writer.finish()
public struct JSONWriter: ~Copyable {
    public private(set) var bytes: [UInt8]
    private var needsComma = false

    public init() { bytes = [] }

    /// Takes an array over, which stays empty until ``finish()`` is assigned to it, and continues after what it holds.
    public init(taking bytes: inout [UInt8]) {
        self.bytes = []
        swap(&self.bytes, &bytes)
    }

    /// Gives the array back.
    public consuming func finish() -> [UInt8] { bytes }

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// The name of the member whose value is written next.
    public mutating func name(_ name: StaticString) {
        appendName(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    /// The name of the member whose value is written next.
    public mutating func name(_ name: String) {
        var name = name
        name.withUTF8 { appendName(UnsafeRawBufferPointer($0)) }
    }

    /// The name of the member whose value is written next, as UTF-8.
    public mutating func name(utf8 name: UnsafeRawBufferPointer) { appendName(name) }

    /// The name of the member whose value is written next, a JSON string already.
    public mutating func name(json: UnsafeRawBufferPointer) {
        separate()
        bytes.append(contentsOf: json)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func null() { literal("null") }
    public mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

    public mutating func integer(_ value: Int64) {
        separate()
        appendNumber { DecimalText.write(value, to: $0) }
    }

    public mutating func integer(_ value: UInt64) {
        separate()
        appendNumber { DecimalText.write(value, to: $0) }
    }

    /// A whole number as a string.
    public mutating func quoted(_ value: UInt64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        appendNumber { DecimalText.write(value, to: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// What follows the `id` in a request's envelope, up to the value of `params`, which comes next.
    public mutating func envelope(version: String, method: String) {
        name("version")
        string(version)
        name("method")
        string(method)
        name("params")
    }

    /// The shortest text that reads back exactly; `null` for NaN and infinity, which JSON does not have.
    public mutating func real(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        appendNumber { DecimalText.write(value, to: $0) }
    }

    /// The shortest text that reads back exactly as a `Float`; `null` for NaN and infinity.
    public mutating func real(_ value: Float) {
        guard value.isFinite else { return null() }
        separate()
        appendNumber { DecimalText.write(value, to: $0) }
    }

    public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { string(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// A string of UTF-8 bytes. What is not UTF-8 becomes U+FFFD, byte by byte.
    public mutating func string(utf8 value: UnsafeRawBufferPointer) {
        separate()
        appendQuoted(value)
    }

    /// A value that is JSON text already.
    public mutating func raw(_ json: UnsafeRawBufferPointer) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// A measurement point's value; `null` if there is none.
    public mutating func value(_ value: Value?) {
        switch value {
        case nil: null()
        case .bool(let value): bool(value)
        case .int(let value): integer(value)
        case .uint(let value): integer(value)
        case .real(let value): real(value)
        case .lreal(let value): real(value)
        case .string(let value): string(value)
        }
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func appendName(_ name: UnsafeRawBufferPointer) {
        separate()
        appendQuoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func literal(_ text: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func appendNumber(_ write: (UnsafeMutableRawBufferPointer) -> Int) {
        withUnsafeTemporaryAllocation(byteCount: DecimalText.maxLength, alignment: 1) { digits in
            let count = write(digits)
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: digits[..<count]))
        }
    }

    /// RFC 8259 §7: quote, backslash and everything below U+0020 are escaped.
    private mutating func appendQuoted(_ text: UnsafeRawBufferPointer) {
        bytes.append(UInt8(ascii: "\""))
        var at = 0
        var copied = 0
        while at < text.count {
            let byte = text[at]
            if byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                at += 1
                continue
            }
            let length = byte < 0x80 ? 0 : UTF8Sequence.length(text, at: at)
            if length > 0 {
                at += length
                continue
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[copied..<at]))
            appendEscape(byte)
            at += 1
            copied = at
        }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[copied...]))
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(_ byte: UInt8) {
        let letter: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): letter = byte
        case 0x08: letter = UInt8(ascii: "b")
        case 0x09: letter = UInt8(ascii: "t")
        case 0x0A: letter = UInt8(ascii: "n")
        case 0x0C: letter = UInt8(ascii: "f")
        case 0x0D: letter = UInt8(ascii: "r")
        case ..<0x20:
            let digit = byte & 0x0F
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(UInt8(ascii: "0") + (byte >> 4))
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            return
        default:
            bytes.append(contentsOf: "\u{FFFD}".utf8)
            return
        }
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(letter)
    }
}
