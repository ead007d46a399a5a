public import Core

/// Cuts a stream of bytes into frames. Whatever comes, it holds no more than the longest frame allowed.
public struct Framer: Sendable {
    private let framing: Framing
    /// What a frame begins with, which belongs to it; bytes before it are thrown away.
    private let start: [UInt8]
    private let maxLength: Int
    private var buffer: [UInt8] = []
    /// Whether the rest of a frame that was too long is being thrown away.
    private var isSkipping = false
    private var lastByte: MonotonicTime?
    /// Bytes that belonged to no frame.
    public private(set) var discarded: UInt64 = 0

    /// - Parameters:
    ///   - start: empty for none, else up to 16 bytes.
    ///   - maxLength: of a frame in bytes, 1…65,536. A longer one is thrown away.
    /// - Throws: what does not fit together.
    public init(_ framing: Framing, start: [UInt8] = [], maxLength: Int = 4096) throws(FieldBusError) {
        guard (1...65_536).contains(maxLength) else {
            throw .invalid(place: "framing", problem: "the longest frame has 1 to 65536 bytes")
        }
        guard start.count <= 16 else { throw .invalid(place: "framing", problem: "a frame's start has at most 16 bytes") }
        if let problem = framing.problem(maxLength: maxLength) { throw .invalid(place: "framing", problem: problem) }
        self.framing = framing
        self.start = start
        self.maxLength = maxLength
    }

    /// When ``settle(now:)`` is to be called; nil if it need not be.
    public var deadline: MonotonicTime? {
        guard case .silence(let duration) = framing, !buffer.isEmpty || isSkipping, let lastByte else { return nil }
        return lastByte + duration
    }

    /// Takes what has come.
    ///
    /// - Returns: the frames that are now complete, in their order.
    public mutating func take(_ bytes: [UInt8], at time: MonotonicTime) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        if let frame = settle(now: time) { frames.append(frame) }
        guard !bytes.isEmpty else { return frames }
        lastByte = time
        for byte in bytes {
            if isSkipping, case .silence = framing {
                discarded += 1
                continue
            }
            buffer.append(byte)
            alignToStart()
            if let frame = completeFrame() { frames.append(frame) }
            if buffer.count > maxLength + delimiterLength { overflow() }
        }
        return frames
    }

    /// The frame that ended because nothing came any more.
    public mutating func settle(now: MonotonicTime) -> [UInt8]? {
        guard let deadline, now >= deadline else { return nil }
        isSkipping = false
        guard !buffer.isEmpty else { return nil }
        defer { buffer.removeAll(keepingCapacity: true) }
        guard buffer.count >= start.count else {
            discarded += UInt64(buffer.count)
            return nil
        }
        return buffer
    }

    /// Forgets what has come of an unfinished frame: the connection is a new one.
    public mutating func reset() {
        discarded += UInt64(buffer.count)
        buffer.removeAll()
        isSkipping = false
        lastByte = nil
    }

    private var delimiterLength: Int { if case .delimiter(let bytes) = framing { bytes.count } else { 0 } }

    /// Throws away bytes until the buffer begins as a frame does, or as much of that as has come.
    private mutating func alignToStart() {
        guard !start.isEmpty, !isSkipping else { return }
        while !buffer.isEmpty, !buffer.starts(with: start.prefix(buffer.count)) {
            buffer.removeFirst()
            discarded += 1
        }
    }

    /// The frame that the last byte has completed.
    private mutating func completeFrame() -> [UInt8]? {
        switch framing {
        case .delimiter(let delimiter):
            // A start that looks like the delimiter does not end its own frame.
            guard buffer.count >= delimiter.count + (isSkipping ? 0 : start.count), buffer.suffix(delimiter.count).elementsEqual(delimiter) else { return nil }
            defer { buffer.removeAll(keepingCapacity: true) }
            guard !isSkipping, buffer.count - delimiter.count <= maxLength else {
                isSkipping = false
                discarded += UInt64(buffer.count)
                return nil
            }
            return buffer.dropLast(delimiter.count)
        case .fixedLength(let length):
            return take(length)
        case .lengthField(let field):
            guard buffer.count >= field.offset + field.width else { return nil }
            let bytes = buffer[field.offset..<field.offset + field.width]
            let value = (field.isLittleEndian ? Array(bytes.reversed()) : Array(bytes)).reduce(0) { $0 << 8 | Int($1) }
            let length = value + field.adjustment
            guard length >= field.offset + field.width, length <= maxLength else {
                // Not a frame's beginning after all: the next one may begin at the next byte.
                buffer.removeFirst()
                discarded += 1
                alignToStart()
                return completeFrame()
            }
            return take(length)
        case .silence:
            return nil
        }
    }

    private mutating func take(_ length: Int) -> [UInt8]? {
        guard buffer.count >= length else { return nil }
        defer { buffer.removeAll(keepingCapacity: true) }
        return buffer
    }

    private mutating func overflow() {
        // What may be the beginning of a delimiter is kept.
        let kept = max(0, delimiterLength - 1)
        discarded += UInt64(buffer.count - kept)
        buffer.removeFirst(buffer.count - kept)
        isSkipping = true
    }
}
