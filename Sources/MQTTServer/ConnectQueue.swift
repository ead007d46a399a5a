import Core

/// The connections of a listener that have not sent CONNECT, the one that has waited longest first. A list with links in
/// both directions, so that joining and leaving cost the same however many wait.
///
/// Belongs to the server's event loop.
struct ConnectQueue {
    /// A connection's place in the queue, as long as it waits.
    final class Place {
        let deadline: MonotonicTime
        unowned let connection: MQTTConnection
        fileprivate unowned(unsafe) var older: Place?
        fileprivate var newer: Place?

        fileprivate init(_ connection: MQTTConnection, deadline: MonotonicTime) {
            self.connection = connection
            self.deadline = deadline
        }
    }

    private(set) var count = 0
    private(set) var oldest: Place?
    private var newest: Place?

    mutating func append(_ connection: MQTTConnection, deadline: MonotonicTime) -> Place {
        let place = Place(connection, deadline: deadline)
        place.older = newest
        if let newest { newest.newer = place } else { oldest = place }
        newest = place
        count += 1
        return place
    }

    /// - Parameter place: one that is in the queue.
    mutating func remove(_ place: Place) {
        if let newer = place.newer { newer.older = place.older } else { newest = place.older }
        if let older = place.older { older.newer = place.newer } else { oldest = place.newer }
        place.older = nil
        place.newer = nil
        count -= 1
    }
}
