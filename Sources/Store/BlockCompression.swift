internal import CZstd

/// When compressing is tried: after blocks that did not shrink it is left out for a while, up to 15 blocks, so that what cannot
/// be compressed costs next to nothing.
struct CompressionTrial {
    private var pause = 0
    private var left = 0

    static let longestPause = 15

    /// Whether to try with the next block.
    mutating func isDue() -> Bool {
        guard left > 0 else { return true }
        left -= 1
        return false
    }

    /// It was tried.
    mutating func ended(hasShrunk: Bool) {
        pause = hasShrunk ? 0 : min(2 * pause + 1, CompressionTrial.longestPause)
        left = pause
    }
}

/// zstd with the memory that it needs from block to block. Made when the first block wants it.
final class BlockCompression {
    private var compressor: OpaquePointer?
    private var decompressor: OpaquePointer?

    /// The fastest of the usual levels: what a higher one saves more, it costs several times in CPU time.
    static let level: Int32 = 1

    /// Bytes below which there is nothing to gain.
    static let smallest = 64

    deinit {
        ZSTD_freeCCtx(compressor)
        ZSTD_freeDCtx(decompressor)
    }

    /// Appends the compressed bytes; nil, with nothing appended, when that does not save more than a tenth.
    func compress(_ bytes: UnsafeRawBufferPointer, into buffer: inout EncodingBuffer) -> Int? {
        if compressor == nil { compressor = ZSTD_createCCtx() }
        guard let compressor, bytes.count >= BlockCompression.smallest else { return nil }
        let room = bytes.count - bytes.count / 10 - 1
        return buffer.append(atMost: room) { space in
            // It fails when the room is not enough, which is what is asked.
            let size = ZSTD_compressCCtx(compressor, space.baseAddress, space.count, bytes.baseAddress, bytes.count, BlockCompression.level)
            return ZSTD_isError(size) == 0 ? size : nil
        }
    }

    /// The plain bytes; nil when the frame is not one of so many bytes.
    func decompress(_ bytes: UnsafeRawBufferPointer, count: Int) -> [UInt8]? {
        guard count <= CacheBlock.maximumPlainBytes,
            ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count) == UInt64(count)
        else { return nil }
        if decompressor == nil { decompressor = ZSTD_createDCtx() }
        guard let decompressor else { return nil }
        var isRight = false
        let plain = [UInt8](unsafeUninitializedCapacity: count) { space, initialized in
            let size = ZSTD_decompressDCtx(decompressor, space.baseAddress, count, bytes.baseAddress, bytes.count)
            isRight = ZSTD_isError(size) == 0 && size == count
            initialized = isRight ? count : 0
        }
        return isRight ? plain : nil
    }
}
