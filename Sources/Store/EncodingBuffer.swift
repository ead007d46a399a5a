/// Bytes that grow at their end and keep their memory between uses.
struct EncodingBuffer: ~Copyable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(64, capacity)
        start = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { start.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Forgets the content; a buffer that one huge message has blown up shrinks again.
    mutating func removeAll(keepingAtMost limit: Int) {
        count = 0
        guard capacity > limit else { return }
        start.deallocate()
        capacity = limit
        start = .allocate(byteCount: limit, alignment: 8)
    }

    /// Makes room so that the next `size` bytes can be appended.
    mutating func reserve(_ size: Int) {
        guard capacity - count < size else { return }
        let larger = max(capacity * 2, count + size)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        moved.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = moved
        capacity = larger
    }

    mutating func append(_ byte: UInt8) {
        reserve(1)
        start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count)
        (start + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// Appends what `body` writes into the space that it is given, and returns its size; nothing when it returns nil.
    mutating func append(atMost limit: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int?) -> Int? {
        reserve(limit)
        guard let size = body(UnsafeMutableRawBufferPointer(start: start + count, count: limit)), (0...limit).contains(size)
        else { return nil }
        count += size
        return size
    }

    /// Four or eight bytes, little-endian.
    mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
        withUnsafeBytes(of: value.littleEndian) { append($0) }
    }

    /// Seven bits a byte, the lowest first, the top bit set on all but the last: 1…10 bytes.
    mutating func append(varint value: UInt64) {
        reserve(10)
        var rest = value
        while rest >= 0x80 {
            start.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            count += 1
            rest >>= 7
        }
        start.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// A signed number that is short when it is near zero.
    mutating func append(zigzag value: Int64) {
        append(varint: UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    /// Overwrites a byte that was appended earlier.
    mutating func set(_ byte: UInt8, at offset: Int) {
        precondition(offset >= 0 && offset < count)
        start.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    /// Overwrites four bytes that were appended earlier.
    mutating func set(littleEndian value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count)
        start.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }
}

/// Reads forward through bytes that come from a disk: nil when they end too early or make no sense, never a trap.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, position: Int = 0) {
        self.bytes = bytes
        self.position = min(max(0, position), bytes.count)
    }

    var remaining: Int { bytes.count - position }

    mutating func byte() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func littleEndian<T: FixedWidthInteger>(_ type: T.Type) -> T? {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { return nil }
        defer { position += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    mutating func varint() -> UInt64? {
        guard position < bytes.count else { return nil }
        let first = bytes[position]
        position += 1
        if first < 0x80 { return UInt64(first) }
        var value = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return shift == 63 && byte > 1 ? nil : value }
            shift += 7
        }
        return nil
    }

    mutating func zigzag() -> Int64? {
        guard let value = varint() else { return nil }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// The next `count` bytes, in place.
    mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
        guard count <= UInt64(remaining) else { return nil }
        let size = Int(count)
        defer { position += size }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + size])
    }
}
