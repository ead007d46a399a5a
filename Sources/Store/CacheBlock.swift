internal import Core

// Messages that one commit adds to a lane are packed into blocks, one row of the file each:
//
//     ┌─────────┬───────┬───────────────┬──────────┬─────┬──────────┬─────────┐
//     │ version │ count │ [plain bytes] │ record 1 │  …  │ record n │ CRC-32C │
//     │    1    │ 4, LE │     4, LE     │          │     │          │  4, LE  │
//     └─────────┴───────┴───────────────┴──────────┴─────┴──────────┴─────────┘
//
//     record: flags, [skipped], topic, published at, [expires at], [properties length], payload length, properties, payload
//
// A topic is a number; the number after the highest so far is followed by the length and the bytes of a new topic, so a
// block brings its own dictionary and is read alone. "Published at" is the distance from the record before (the first:
// from 1970), "expires at" the distance from "published at", both in ms and zigzag. "Skipped" is the number of sequences
// that are missing before the record, because it was thinned. All numbers are varints. The check sum starts with the row's
// key, so a row that stands in the wrong place is found out too. In a compressed block the records are one zstd frame, and
// the bytes that they have without it stand before them.

/// What the bits of a record's first byte mean; bits 0 and 1 are the quality of service.
enum CacheRecordFlags {
    static let qos: UInt8 = 3
    static let retain: UInt8 = 4
    static let properties: UInt8 = 8
    static let expiry: UInt8 = 16
    static let skip: UInt8 = 32
    static let all: UInt8 = 63
}

enum CacheBlock {
    /// A block's first byte.
    enum Version {
        /// There is a record for every sequence.
        static let whole: UInt8 = 1
        /// Sequences may be missing.
        static let gaps: UInt8 = 2
        /// As ``gaps``, compressed.
        static let zstd: UInt8 = 3
    }

    static let headerSize = 5
    static let trailerSize = 4
    /// No block has more bytes of records: an MQTT message has 256 MiB at most.
    static let maximumPlainBytes = 320 << 20

    static func checkSum(key: Int64, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let seed = withUnsafeBytes(of: key.littleEndian) { CRC32C.update(0, $0) }
        return CRC32C.update(seed, bytes)
    }
}

/// Where a block stands: the row's key is the lane's number and the sequence of the block's first message, so that one
/// table, in the order in which rows are added, is the index too.
enum CacheKey {
    static let sequenceBits: Int64 = 51
    static let maximumSequence: Int64 = 1 << sequenceBits - 1
    static let maximumLane: Int64 = 1 << 12 - 1

    static func key(lane: Int64, sequence: Int64) -> Int64 { lane << sequenceBits | sequence }
    static func sequence(of key: Int64) -> Int64 { key & maximumSequence }
    static func lane(of key: Int64) -> Int64 { key >> sequenceBits }
}

/// One message of a block, in place.
struct CacheRecord {
    var sequence: Int64
    var topic: UnsafeRawBufferPointer
    /// Properties, then payload.
    var body: UnsafeRawBufferPointer
    var propertiesLength: Int
    var qos: QoS
    var retain: Bool
    var publishedAt: Timestamp
    var expiresAt: Timestamp?

    /// Bytes that it takes in a block at most, its topic included.
    var byteCount: Int { topic.count + body.count + 32 }
}
