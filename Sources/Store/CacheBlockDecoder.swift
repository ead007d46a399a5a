internal import Core

/// Walks over the messages of one block (see CacheBlock.swift). Bytes from the disk never trap: what makes no sense ends
/// the walk with ``isDamaged``.
struct CacheBlockDecoder {
    let key: Int64
    /// The records and, unless they were compressed, the header before them.
    private let block: [UInt8]
    private let version: UInt8
    private var topics: [(offset: Int, length: Int)] = []
    private var position: Int
    private var previousTime: Int64 = 0

    /// The least sequence that the next message can have.
    private(set) var nextSequence: Int64
    /// The sequence of the block's last message.
    let last: Int64
    /// Messages of the block, and of those the ones that the walk has not come to.
    let count: Int64
    private(set) var remaining: Int64
    private(set) var isDamaged = false

    /// What is added to the times when they are read, in ms; see ``CachedMessage/timeCorrection``.
    var timeCorrection: Int64 = 0
    var isTimeUncertain = false

    /// nil when the check sum or the frame is wrong.
    ///
    /// - Parameter last: the last sequence as the row says it.
    init?(_ bytes: UnsafeRawBufferPointer, key: Int64, last: Int64, compression: BlockCompression = BlockCompression()) {
        let first = CacheKey.sequence(of: key)
        let (distance, overflow) = last.subtractingReportingOverflow(first)
        guard !overflow, distance >= 0, bytes.count >= CacheBlock.headerSize + CacheBlock.trailerSize else { return nil }
        let end = bytes.count - CacheBlock.trailerSize
        var header = ByteCursor(bytes)
        var trailer = ByteCursor(bytes, position: end)
        guard let version = header.byte(), let count = header.littleEndian(UInt32.self), count > 0,
            version == CacheBlock.Version.whole ? Int64(count) == distance + 1 : Int64(count) <= distance + 1,
            trailer.littleEndian(UInt32.self)
                == CacheBlock.checkSum(key: key, UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        else { return nil }
        switch version {
        case CacheBlock.Version.whole, CacheBlock.Version.gaps:
            block = Array(bytes[..<end])
            position = CacheBlock.headerSize
        case CacheBlock.Version.zstd:
            guard let size = header.littleEndian(UInt32.self), header.position <= end,
                let plain = compression.decompress(
                    UnsafeRawBufferPointer(rebasing: bytes[header.position..<end]), count: Int(size))
            else { return nil }
            block = plain
            position = 0
        default: return nil
        }
        self.version = version
        self.key = key
        self.last = last
        self.count = Int64(count)
        remaining = Int64(count)
        nextSequence = first
    }

    var isAtEnd: Bool { remaining == 0 || isDamaged }

    /// Appends messages until a limit is reached or the block ends. One that exceeds `maximumBytes` alone is read when
    /// nothing was read before it.
    ///
    /// - Parameters:
    ///   - bytes: topic, properties and payload bytes of `messages` so far; goes up.
    mutating func read(
        into messages: inout [CachedMessage], bytes: inout Int, maximumCount: Int, maximumBytes: Int, now: Moment
    ) {
        let (correction, isUncertain) = (timeCorrection, isTimeUncertain)
        walk { record in
            let size = record.topic.count + record.body.count
            guard messages.count < maximumCount, messages.isEmpty || bytes + size <= maximumBytes else { return false }
            let expiresAt = record.expiresAt.map { Timestamp(milliseconds: $0.milliseconds &+ correction) }
            let message = Message.create(
                topic: record.topic,
                properties: UnsafeRawBufferPointer(rebasing: record.body[..<record.propertiesLength]),
                payload: UnsafeRawBufferPointer(rebasing: record.body[record.propertiesLength...]),
                qos: record.qos, retain: record.retain, expiresAt: now.monotonicTime(of: expiresAt),
                publishedAt: Timestamp(milliseconds: record.publishedAt.milliseconds &+ correction))
            messages.append(
                CachedMessage(
                    sequence: record.sequence, message: message, timeCorrection: correction, isTimeUncertain: isUncertain))
            bytes += size
            return true
        }
    }

    /// Goes on to the first message at or behind `sequence` without making messages.
    mutating func skip(to sequence: Int64) {
        guard nextSequence < sequence else { return }
        walk { $0.sequence < sequence }
    }

    /// Gives each record to `take` until that returns false; the walk then goes on at the same record.
    mutating func walk(_ take: (CacheRecord) -> Bool) {
        block.withUnsafeBytes { block in
            var cursor = ByteCursor(block, position: position)
            while remaining > 0 {
                let start = cursor.position
                let topicCount = topics.count
                guard let record = nextRecord(&cursor), record.sequence <= last else {
                    isDamaged = true
                    break
                }
                guard take(record) else {
                    if topics.count > topicCount { topics.removeSubrange(topicCount...) }
                    cursor = ByteCursor(block, position: start)
                    break
                }
                previousTime = record.publishedAt.milliseconds
                nextSequence = record.sequence + 1
                remaining -= 1
            }
            position = cursor.position
        }
        if remaining == 0 { nextSequence = last + 1 }
    }

    private mutating func nextRecord(_ cursor: inout ByteCursor) -> CacheRecord? {
        guard let flags = cursor.byte(), flags & ~CacheRecordFlags.all == 0,
            let qos = QoS(rawValue: flags & CacheRecordFlags.qos)
        else { return nil }
        var sequence = nextSequence
        if flags & CacheRecordFlags.skip != 0 {
            guard version != CacheBlock.Version.whole, let skipped = cursor.varint(), skipped <= UInt64(CacheKey.maximumSequence)
            else { return nil }
            sequence += Int64(skipped)
        }
        guard let topic = nextTopic(&cursor), let timeDistance = cursor.zigzag() else { return nil }
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
        return CacheRecord(
            sequence: sequence, topic: topic, body: body, propertiesLength: Int(propertiesLength), qos: qos,
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
