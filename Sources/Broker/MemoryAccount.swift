/// What waits in all queues and outboxes together, and what of it is whose fair share.
final class MemoryAccount {
    /// Bytes of messages; one that is stored for several sessions counts once.
    var byteCount = 0
    /// As ``byteCount``, but such a message counts for each of the sessions.
    private(set) var heldBytes = 0
    /// Queues and outboxes that are not empty.
    private(set) var holders = 0

    /// A queue or an outbox that held so many bytes holds some more, or fewer.
    ///
    /// - Parameter isShared: the message counts in ``byteCount`` by itself.
    @inline(__always)
    func changed(from before: Int, by bytes: Int, isShared: Bool = false) {
        heldBytes &+= bytes
        if !isShared { byteCount &+= bytes }
        if before == 0, bytes > 0 { holders &+= 1 } else if before > 0, before &+ bytes == 0 { holders &-= 1 }
    }

    /// What each queue and outbox may hold when memory is short: an equal part of half of the limit, so that whoever holds
    /// less finds room in the other half.
    func share(of limit: Int) -> Int {
        let manifold = byteCount > 0 ? max(1, Double(heldBytes) / Double(byteCount)) : 1
        return Int(Double(limit / 2) / Double(max(1, holders)) * manifold)
    }
}
