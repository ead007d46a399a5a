internal import Core

/// Packs messages into a block (see CacheBlock.swift); keeps its memory for the next one.
struct CacheBlockEncoder: ~Copyable {
    private var buffer = EncodingBuffer(capacity: 1 << 16)
    private var topics = TopicDictionary()
    private var previousTime: Int64 = 0
    /// The topic of the record before: most often the next one has it too, or it costs one comparison.
    private var previousTopic: (offset: Int, length: Int, number: Int) = (0, -1, 0)

    private(set) var count = 0
    /// The earliest and the latest `publishedAt`, in ms.
    private(set) var oldest: Int64 = .max
    private(set) var newest: Int64 = .min

    /// Bytes so far, check sum excluded.
    var byteCount: Int { buffer.count }

    /// The block; complete after ``finish(key:)``.
    var bytes: UnsafeRawBufferPointer { buffer.bytes }

    /// Starts an empty block.
    mutating func start() {
        buffer.removeAll(keepingAtMost: 1 << 19)
        topics.removeAll()
        previousTime = 0
        previousTopic = (0, -1, 0)
        count = 0
        oldest = .max
        newest = .min
        buffer.append(CacheBlock.version)
        buffer.append(littleEndian: UInt32(0))
    }

    mutating func append(_ message: Message, expiresAt: Timestamp?) {
        let time = message.publishedAt.milliseconds
        var flags = message.qos.rawValue
        if message.retain { flags |= CacheRecordFlags.retain }
        if message.propertiesLength > 0 { flags |= CacheRecordFlags.properties }
        if expiresAt != nil { flags |= CacheRecordFlags.expiry }

        buffer.append(flags)
        message.withTopic { appendTopic($0) }
        buffer.append(zigzag: time &- previousTime)
        if let expiresAt { buffer.append(zigzag: expiresAt.milliseconds &- time) }
        if message.propertiesLength > 0 { buffer.append(varint: UInt64(message.propertiesLength)) }
        buffer.append(varint: UInt64(message.payloadLength))
        message.withUnsafeBytes { run in
            // Properties and payload stand side by side behind the topic.
            buffer.append(UnsafeRawBufferPointer(rebasing: run[(2 + message.topicLength)...]))
        }
        previousTime = time
        oldest = min(oldest, time)
        newest = max(newest, time)
        count += 1
    }

    /// Adds count and check sum. The encoder must be started anew afterwards.
    mutating func finish(key: Int64) {
        buffer.set(littleEndian: UInt32(truncatingIfNeeded: count), at: 1)
        buffer.append(littleEndian: CacheBlock.checkSum(key: key, buffer.bytes))
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
