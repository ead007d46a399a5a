public import NIOCore

extension ByteBuffer {
    /// Appends `count` bytes that `write` puts behind the pointer it is given; it has to fill all of them.
    ///
    /// The same as `writeWithUnsafeMutableBytes(minimumWritableBytes:_:)`, which costs more than the rest of writing a
    /// small PUBLISH because it is not inlined and builds slices.
    @inlinable @inline(__always)
    public mutating func append(_ count: Int, _ write: (UnsafeMutableRawPointer) -> Void) {
        if writableBytes < count { reserveCapacity(minimumWritableBytes: count) }
        let start = writerIndex
        withVeryUnsafeMutableBytes { storage in
            precondition(storage.count &- start >= count)
            write(storage.baseAddress.unsafelyUnwrapped + start)
        }
        moveWriterIndex(forwardBy: count)
    }
}
