import Core

/// How two filters relate, of which neither is a topic: for who may subscribe to what.
enum FilterCoverage {
    /// Whether every topic that belongs to `inner` belongs to `outer` too.
    static func covers(_ outer: String, _ inner: String) -> Bool {
        let a = levels(outer)
        let b = levels(inner)
        // [MQTT-4.7.2-1] a wildcard at the start leaves out the topics that begin with `$`.
        if isWildcard(a[0]), b[0].utf8.first == UInt8(ascii: "$") { return false }
        for index in a.indices {
            if a[index] == "#" { return true }
            guard index < b.count else { return false }
            // Every topic has a first level, so that `+/#` is no less than `#`.
            if b[index] == "#" { return index == 0 && a == ["+", "#"] }
            // `+` stands for any level, also for another `+`.
            if a[index] != "+", !isSame(a[index], b[index]) { return false }
            if index == a.count - 1 { return b.count == a.count }
        }
        return false
    }

    /// Whether some topic belongs to both.
    static func overlaps(_ one: String, _ other: String) -> Bool {
        let a = levels(one)
        let b = levels(other)
        if isWildcard(a[0]), b[0].utf8.first == UInt8(ascii: "$") { return false }
        if isWildcard(b[0]), a[0].utf8.first == UInt8(ascii: "$") { return false }
        for index in 0..<min(a.count, b.count) {
            if a[index] == "#" || b[index] == "#" { return true }
            if a[index] != "+", b[index] != "+", !isSame(a[index], b[index]) { return false }
        }
        // `sport/#` has the topic `sport` too (MQTT 5.0 §4.7.1.2).
        let rest = a.count > b.count ? a[b.count...] : b[a.count...]
        return rest.isEmpty || (rest.count == 1 && rest.first == "#")
    }

    private static func levels(_ filter: String) -> [Substring] {
        // By bytes: to `Character` a slash and a combining mark behind it are one.
        filter.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Substring($0) }
    }

    /// [MQTT-4.7.3-4] nothing is normalized: to `String` a composed and a decomposed "é" are the same.
    private static func isSame(_ one: Substring, _ other: Substring) -> Bool { one.utf8.elementsEqual(other.utf8) }

    private static func isWildcard(_ level: Substring) -> Bool { level == "+" || level == "#" }
}
