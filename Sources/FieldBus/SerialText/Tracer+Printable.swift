import Core

extension Tracer {
    /// Bytes of a line that are more or less text.
    func note(printable bytes: [UInt8], _ direction: TracedFrame.Direction) {
        note(
            direction, bytes: bytes,
            text: String(decoding: bytes.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self))
    }
}
