public import Core

/// A block of the cache that failed its check sum, as it was kept.
public struct DamagedBlock: Sendable {
    public var lane: String
    /// The sequences of its messages.
    public var firstSequence: Int64
    public var lastSequence: Int64
    public var foundAt: Timestamp
    /// Its bytes; none of a block that was too large to be kept.
    public var data: [UInt8]
}

extension Storage {
    /// The damaged blocks that are kept in the cache's file, the newest last: at most 64, of at most 4 MiB together.
    public func damagedBlocks() throws(StoreError) -> [DamagedBlock] {
        try withCache { (cache) throws(StoreError) in try cache.damagedBlocks() }
    }
}

extension BreakpointCache {
    func damagedBlocks() throws(StoreError) -> [DamagedBlock] {
        let select = try database.statement("SELECT lane, id, last, found_at, data FROM damaged ORDER BY number")
        var blocks: [DamagedBlock] = []
        while try select.step() {
            blocks.append(
                DamagedBlock(
                    lane: select.text(0), firstSequence: CacheKey.sequence(of: select.integer(1)), lastSequence: select.integer(2),
                    foundAt: Timestamp(milliseconds: select.integer(3)), data: select.withBytes(4) { Array($0) }))
        }
        return blocks
    }
}
