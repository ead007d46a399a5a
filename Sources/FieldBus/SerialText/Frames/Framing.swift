/// How a stream of bytes falls apart into frames.
public enum Framing: Sendable, Hashable {
    /// A frame ends with these bytes, which do not belong to it: CR LF of most scales and readers.
    case delimiter([UInt8])
    /// Every frame has so many bytes.
    case fixedLength(Int)
    /// Every frame says its length.
    case lengthField(LengthField)
    /// A frame ends when nothing comes for so long.
    case silence(Duration)

    /// Where a frame says its length.
    public struct LengthField: Sendable, Hashable {
        /// Bytes before the field.
        public var offset: Int
        /// Bytes of the field: 1, 2 or 4.
        public var width: Int
        public var isLittleEndian = false
        /// What to add to the field's value for the length of the whole frame, of which the field says another part.
        public var adjustment = 0

        public init(offset: Int, width: Int) {
            self.offset = offset
            self.width = width
        }
    }

    /// What is wrong with it; nil if nothing is.
    ///
    /// - Parameter maxLength: of a frame, in bytes.
    public func problem(maxLength: Int) -> String? {
        switch self {
        case .delimiter(let bytes):
            (1...16).contains(bytes.count) ? nil : "a delimiter has 1 to 16 bytes"
        case .fixedLength(let length):
            (1...maxLength).contains(length) ? nil : "a fixed length is 1 to \(maxLength)"
        case .lengthField(let field):
            if ![1, 2, 4].contains(field.width) {
                "a length field has 1, 2 or 4 bytes"
            } else if field.offset < 0 || field.offset + field.width > maxLength {
                "the length field lies outside of the frame"
            } else {
                (-maxLength...maxLength).contains(field.adjustment) ? nil : "the adjustment is out of range"
            }
        case .silence(let duration):
            duration >= .milliseconds(1) && duration <= .seconds(60) ? nil : "a silence is 1ms to 60s"
        }
    }
}
