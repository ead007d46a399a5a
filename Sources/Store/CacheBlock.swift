// Messages that one commit adds to a lane are packed into blocks, one row of the file each:
//
//     ┌─────────┬───────┬──────────┬─────┬──────────┬─────────┐
//     │ version │ count │ record 1 │  …  │ record n │ CRC-32C │
//     │    1    │ 4, LE │          │     │          │  4, LE  │
//     └─────────┴───────┴──────────┴─────┴──────────┴─────────┘
//
//     record: flags, topic, published at, [expires at], [properties length], payload length, properties, payload
//
// A topic is a number; the number after the highest so far is followed by the length and the bytes of a new topic, so a
// block brings its own dictionary and is read alone. "Published at" is the distance from the record before (the first:
// from 1970), "expires at" the distance from "published at", both in ms and zigzag. All numbers are varints. The check
// sum starts with the row's key, so a row that stands in the wrong place is found out too.

/// What the bits of a record's first byte mean; bits 0 and 1 are the quality of service.
enum CacheRecordFlags {
    static let qos: UInt8 = 3
    static let retain: UInt8 = 4
    static let properties: UInt8 = 8
    static let expiry: UInt8 = 16
    static let all: UInt8 = 31
}

enum CacheBlock {
    static let version: UInt8 = 1
    static let headerSize = 5
    static let trailerSize = 4

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
