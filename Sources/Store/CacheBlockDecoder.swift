internal import Core

/// Walks over the messages of one block (see CacheBlock.swift). Bytes from the disk never trap: what makes no sense ends
/// the walk with ``isDamaged``.
struct CacheBlockDecoder {
    let key: Int64
    private let block: [UInt8]
    private var topics: [(offset: Int, length: Int)] = []
    private var position = CacheBlock.headerSize
    private var previousTime: Int64 = 0

    /// The sequence that the next message has.
    private(set) var nextSequence: Int64
    /// The sequence of the block's last message.
    let last: Int64
    /// Messages of the block.
    let count: Int64
    private(set) var isDamaged = false

    /// nil when the check sum or the frame is wrong.
    ///
    /// - Parameter last: the last sequence as the row says it.
    init?(_ bytes: UnsafeRawBufferPointer, key: Int64, last: Int64) {
        let first = CacheKey.sequence(of: key)
        let (distance, overflow) = last.subtractingReportingOverflow(first)
        guard !overflow, distance >= 0, bytes.count >= CacheBlock.headerSize + CacheBlock.trailerSize else { return nil }
        let end = bytes.count - CacheBlock.trailerSize
        var header = ByteCursor(bytes)
        var trailer = ByteCursor(bytes, position: end)
        guard header.byte() == CacheBlock.version,
            let count = header.littleEndian(UInt32.self), Int64(count) == distance + 1,
            trailer.littleEndian(UInt32.self)
                == CacheBlock.checkSum(key: key, UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        else { return nil }
        self.key = key
        self.last = last
        self.count = Int64(count)
        nextSequence = first
        block = Array(bytes[..<end])
    }

    var isAtEnd: Bool { nextSequence > last || isDamaged }

    /// Appends messages until a limit is reached or the block ends. One that exceeds `maximumBytes` alone is read when
    /// nothing was read before it.
    ///
    /// - Parameters:
    ///   - bytes: topic, properties and payload bytes of `messages` so far; goes up.
    mutating func read(
        into messages: inout [CachedMessage], bytes: inout Int, maximumCount: Int, maximumBytes: Int, now: Moment
    ) {
        block.withUnsafeBytes { block in
            var cursor = ByteCursor(block, position: position)
            while nextSequence <= last, messages.count < maximumCount {
                let start = cursor.position
                let topicCount = topics.count
                guard let record = nextRecord(&cursor) else {
                    isDamaged = true
                    break
                }
                let size = record.topic.count + record.body.count
                if !messages.isEmpty, bytes + size > maximumBytes {
                    // Not taken: the next walk starts here again.
                    topics.removeSubrange(topicCount...)
                    cursor = ByteCursor(block, position: start)
                    break
                }
                previousTime = record.publishedAt.milliseconds
                let message = Message.create(
                    topic: record.topic,
                    properties: UnsafeRawBufferPointer(rebasing: record.body[..<record.propertiesLength]),
                    payload: UnsafeRawBufferPointer(rebasing: record.body[record.propertiesLength...]),
                    qos: record.qos, retain: record.retain, expiresAt: now.monotonicTime(of: record.expiresAt),
                    publishedAt: record.publishedAt)
                messages.append(CachedMessage(sequence: nextSequence, message: message))
                bytes += size
                nextSequence += 1
            }
            position = cursor.position
        }
    }

    /// Goes on to `sequence` without making messages.
    mutating func skip(to sequence: Int64) {
        block.withUnsafeBytes { block in
            var cursor = ByteCursor(block, position: position)
            while nextSequence <= last, nextSequence < sequence {
                guard let record = nextRecord(&cursor) else {
                    isDamaged = true
                    break
                }
                previousTime = record.publishedAt.milliseconds
                nextSequence += 1
            }
            position = cursor.position
        }
    }

    private struct Record {
        var topic: UnsafeRawBufferPointer
        /// Properties, then payload.
        var body: UnsafeRawBufferPointer
        var propertiesLength: Int
        var qos: QoS
        var retain: Bool
        var publishedAt: Timestamp
        var expiresAt: Timestamp?
    }

    private mutating func nextRecord(_ cursor: inout ByteCursor) -> Record? {
        guard let flags = cursor.byte(), flags & ~CacheRecordFlags.all == 0,
            let qos = QoS(rawValue: flags & CacheRecordFlags.qos),
            let topic = nextTopic(&cursor),
            let timeDistance = cursor.zigzag()
        else { return nil }
        let time = previousTime &+ timeDistance
        var expiresAt: Timestamp?
        if flags & CacheRecordFlags.expiry != 0 {
            guard let distance = cursor.zigzag() else { return nil }
            expiresAt = Timestamp(milliseconds: time &+ distance)
        }
        var propertiesLength: UInt64 = 0
        if flags & CacheRecordFlags.properties != 0 {
            guard let length = cursor.varint() else { return nil }
            propertiesLength = length
        }
        guard let payloadLength = cursor.varint(),
            propertiesLength <= UInt64(cursor.remaining), payloadLength <= UInt64(cursor.remaining),
            let body = cursor.take(propertiesLength + payloadLength)
        else { return nil }
        return Record(
            topic: topic, body: body, propertiesLength: Int(propertiesLength), qos: qos,
            retain: flags & CacheRecordFlags.retain != 0, publishedAt: Timestamp(milliseconds: time),
            expiresAt: expiresAt)
    }

    private mutating func nextTopic(_ cursor: inout ByteCursor) -> UnsafeRawBufferPointer? {
        guard let number = cursor.varint(), number <= UInt64(topics.count) else { return nil }
        let index = Int(number)
        if index < topics.count {
            let (offset, length) = topics[index]
            return UnsafeRawBufferPointer(rebasing: cursor.bytes[offset..<offset + length])
        }
        guard let length = cursor.varint(), length <= UInt64(UInt16.max) else { return nil }
        let offset = cursor.position
        guard let topic = cursor.take(length) else { return nil }
        topics.append((offset, topic.count))
        return topic
    }
}
