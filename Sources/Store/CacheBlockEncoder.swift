internal import Core

/// Packs messages into a block (see CacheBlock.swift); keeps its memory for the next one.
struct CacheBlockEncoder: ~Copyable {
    private var buffer = EncodingBuffer(capacity: 1 << 16)
    private var compressed = EncodingBuffer(capacity: 64)
    private(set) var isCompressed = false
    private var topics = TopicDictionary()
    private var previousTime: Int64 = 0
    /// The topic of the record before: most often the next one has it too, or it costs one comparison.
    private var previousTopic: (offset: Int, length: Int, number: Int) = (0, -1, 0)

    private(set) var count = 0
    /// The sequences of the first and the last record that ``append(_:)`` was given.
    private(set) var first: Int64 = 0
    private(set) var last: Int64 = 0
    /// The earliest and the latest `publishedAt`, in ms.
    private(set) var oldest: Int64 = .max
    private(set) var newest: Int64 = .min

    /// Bytes so far, check sum excluded, not compressed.
    var byteCount: Int { buffer.count }

    /// The block; complete after ``finish(key:compression:)``.
    var bytes: UnsafeRawBufferPointer { isCompressed ? compressed.bytes : buffer.bytes }

    /// Starts an empty block.
    mutating func start() {
        buffer.removeAll(keepingAtMost: 1 << 19)
        isCompressed = false
        topics.removeAll()
        previousTime = 0
        previousTopic = (0, -1, 0)
        count = 0
        oldest = .max
        newest = .min
        buffer.append(CacheBlock.Version.whole)
        buffer.append(littleEndian: UInt32(0))
    }

    /// Adds a message whose sequence follows the one before.
    mutating func append(_ message: Message, expiresAt: Timestamp?) {
        // Topic length, topic, properties and payload stand one behind the other.
        message.withUnsafeBytes { run in
            append(
                CacheRecord(
                    sequence: count == 0 ? 0 : last + 1,
                    topic: UnsafeRawBufferPointer(rebasing: run[2..<2 + message.topicLength]),
                    body: UnsafeRawBufferPointer(rebasing: run[(2 + message.topicLength)...]),
                    propertiesLength: message.propertiesLength, qos: message.qos, retain: message.retain,
                    publishedAt: message.publishedAt, expiresAt: expiresAt))
        }
    }

    /// Adds a record of another block; its sequence is greater than that of the one before.
    mutating func append(_ record: CacheRecord) {
        let time = record.publishedAt.milliseconds
        let skipped = count == 0 ? 0 : record.sequence &- last &- 1
        var flags = record.qos.rawValue
        if record.retain { flags |= CacheRecordFlags.retain }
        if record.propertiesLength > 0 { flags |= CacheRecordFlags.properties }
        if record.expiresAt != nil { flags |= CacheRecordFlags.expiry }
        if skipped > 0 { flags |= CacheRecordFlags.skip }

        buffer.append(flags)
        if skipped > 0 {
            buffer.append(varint: UInt64(skipped))
            buffer.set(CacheBlock.Version.gaps, at: 0)
        }
        appendTopic(record.topic)
        buffer.append(zigzag: time &- previousTime)
        if let expiresAt = record.expiresAt { buffer.append(zigzag: expiresAt.milliseconds &- time) }
        if record.propertiesLength > 0 { buffer.append(varint: UInt64(record.propertiesLength)) }
        buffer.append(varint: UInt64(record.body.count - record.propertiesLength))
        buffer.append(record.body)
        previousTime = time
        oldest = min(oldest, time)
        newest = max(newest, time)
        if count == 0 { first = record.sequence }
        last = record.sequence
        count += 1
    }

    /// Compresses the records if that is worth it, and adds count and check sum. The encoder must be started anew
    /// afterwards.
    mutating func finish(key: Int64, compression: BlockCompression? = nil) {
        buffer.set(littleEndian: UInt32(truncatingIfNeeded: count), at: 1)
        if let compression { compress(compression) }
        if isCompressed {
            compressed.append(littleEndian: CacheBlock.checkSum(key: key, compressed.bytes))
        } else {
            buffer.append(littleEndian: CacheBlock.checkSum(key: key, buffer.bytes))
        }
    }

    private mutating func compress(_ compression: BlockCompression) {
        let plain = UnsafeRawBufferPointer(rebasing: buffer.bytes[CacheBlock.headerSize...])
        compressed.removeAll(keepingAtMost: 1 << 19)
        compressed.append(CacheBlock.Version.zstd)
        compressed.append(littleEndian: UInt32(truncatingIfNeeded: count))
        compressed.append(littleEndian: UInt32(truncatingIfNeeded: plain.count))
        isCompressed = compression.compress(plain, into: &compressed) != nil
    }

    private mutating func appendTopic(_ topic: UnsafeRawBufferPointer) {
        if topic.count == previousTopic.length,
            buffer.bytes[previousTopic.offset..<previousTopic.offset + topic.count].elementsEqual(topic)
        {
            return buffer.append(varint: UInt64(previousTopic.number))
        }
        let hash = TopicDictionary.hash(topic)
        if let number = topics.number(of: topic, hash: hash, in: buffer.bytes) {
            return buffer.append(varint: UInt64(number))
        }
        let number = topics.count
        buffer.append(varint: UInt64(number))
        buffer.append(varint: UInt64(topic.count))
        topics.add(hash: hash, offset: buffer.count, length: topic.count)
        previousTopic = (buffer.count, topic.count, number)
        buffer.append(topic)
    }
}
