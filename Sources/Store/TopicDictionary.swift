internal import Core

/// The topics of the block that is being written, found again by their bytes without making a `String`.
///
/// Open addressing with linear probing. The hash has a seed of its process, so nobody can choose topics that collide.
struct TopicDictionary {
    private struct Entry {
        let hash: UInt64
        /// Where the topic's bytes stand in the block.
        let offset: Int
        let length: Int
    }

    private var entries: [Entry] = []
    private var slots = [Int32](repeating: -1, count: 64)

    mutating func removeAll() {
        guard !entries.isEmpty else { return }
        entries.removeAll(keepingCapacity: entries.count <= 4096)
        if slots.count > 16384 {
            slots = [Int32](repeating: -1, count: 64)
        } else {
            slots.withUnsafeMutableBufferPointer { $0.update(repeating: -1) }
        }
    }

    var count: Int { entries.count }

    /// The number of `topic` if the block has it already.
    ///
    /// - Parameter block: the block's bytes, which hold the topics' text.
    func number(of topic: UnsafeRawBufferPointer, hash: UInt64, in block: UnsafeRawBufferPointer) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            let entry = entries[number]
            if entry.hash == hash, entry.length == topic.count,
                topic.hasSameBytes(as: UnsafeRawBufferPointer(rebasing: block[entry.offset..<entry.offset + entry.length]))
            {
                return number
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Adds a topic whose bytes stand at `offset` of the block; its number is the old ``count``.
    mutating func add(hash: UInt64, offset: Int, length: Int) {
        entries.append(Entry(hash: hash, offset: offset, length: length))
        if entries.count * 2 > slots.count { grow() } else { place(entries.count - 1) }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for number in entries.indices { place(number) }
    }

    private mutating func place(_ number: Int) {
        var slot = Int(truncatingIfNeeded: entries[number].hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(truncatingIfNeeded: number)
    }

    /// Its seed is this process's.
    static let hash = ByteHash()
}
