public import Core

// What waits for the disk is shared out. A client that sends faster than the disk takes is not read from while more of its own
// waits than is its share: it is slowed down to the disk's pace, and does not use up what all have together.

/// What a client has left in batches that are not on disk, in bytes.
struct UnstoredShare {
    /// The last batch that it left something in, and how much.
    private var batch: Int64 = 0
    private var bytes = 0
    /// What it left in those before.
    private var earlierBytes = 0

    mutating func add(_ count: Int, to batch: Int64, committed: Int64) {
        if batch != self.batch {
            earlierBytes = waiting(committed: committed)
            bytes = 0
            self.batch = batch
        }
        bytes &+= count
    }

    func isIn(_ batch: Int64) -> Bool { self.batch == batch }

    func waiting(committed: Int64) -> Int {
        if committed >= batch { return 0 }
        return committed >= batch - 1 ? bytes : bytes &+ earlierBytes
    }
}

extension Broker {
    /// What a change costs beside the bytes of its message, so that one measure does for both limits.
    private var costOfOperation: Int { limits.maximumPendingBytes / max(1, limits.maximumPendingOperations) }

    /// Half of what may wait is for all clients in equal parts, and no client needs more than a 64th of all.
    private var storeShare: Int {
        min(limits.maximumPendingBytes / 64, limits.maximumPendingBytes / 2 / max(1, storingClients.now + storingClients.before))
    }

    /// A client has left something in the batch being filled.
    func countUnstored(of client: Client, operations: Int, bytes: Int) {
        if !client.unstored.isIn(batch) { storingClients.now += 1 }
        client.unstored.add(bytes + operations * costOfOperation, to: batch, committed: committedBatch)
    }

    /// Whether nothing more should be taken from a client before a commit.
    @inline(__always)
    public func isBeyondStoreShare(_ client: Client) -> Bool {
        let waiting = client.unstored.waiting(committed: committedBatch)
        return waiting > 0 && waiting > storeShare
    }

    /// Nothing is taken from a client until ``Client/goOn()``.
    public func hold(_ client: Client, now: MonotonicTime) {
        guard client.heldSince == nil else { return }
        client.heldSince = now
        held.append(client)
        isCommitUrgent = true
    }

    /// The longest time for which a client without Keep Alive is held.
    private static let longestHold = Duration.seconds(60)

    /// Goes on with those that are within their share, or have been held for half of their Keep Alive: a PINGREQ behind what
    /// is held has to be answered.
    func letGo(now: MonotonicTime) {
        var clients: [Client] = []
        swap(&clients, &held)
        for client in clients {
            let longest = client.keepAliveInterval.map { $0 / 2 } ?? Broker.longestHold
            if isBeyondStoreShare(client), client.session != nil, let since = client.heldSince, now < since + longest {
                held.append(client)
            } else {
                client.heldSince = nil
                client.goOn()
            }
        }
    }
}
