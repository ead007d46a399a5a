/// A table that forgets: of about the last `limit` keys that were used. What has not been touched for longest goes first,
/// half of the table at a time, so that nothing has to be searched or ordered.
public struct BoundedTable<Key: Hashable, Value> {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let limit: Int

    /// - Parameter limit: the most keys, at least 2.
    public init(limit: Int) {
        precondition(limit >= 2)
        self.limit = limit
    }

    public var count: Int { young.count + old.count }

    public var isEmpty: Bool { young.isEmpty && old.isEmpty }

    public subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, for: key)
            return value
        }
        set {
            old[key] = nil
            if let newValue { insert(newValue, for: key) } else { young[key] = nil }
        }
    }

    private mutating func insert(_ value: Value, for key: Key) {
        young[key] = value
        guard young.count >= limit / 2 else { return }
        old = young
        young = [:]
    }

    public mutating func removeAll() {
        young = [:]
        old = [:]
    }
}
