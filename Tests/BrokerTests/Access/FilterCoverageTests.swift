import Core
import Testing

@testable import Broker

/// How filters relate to each other.
@Suite("Filter coverage")
struct FilterCoverageTests {
    @Test("a filter covers another when every topic of that is one of its own", arguments: [
        ("a/b", "a/b", true), ("a/b", "a/c", false), ("a/+", "a/b", true), ("a/+", "a/+", true), ("a/b", "a/+", false),
        ("#", "a/b/c", true), ("#", "#", true), ("#", "+/a", true), ("+/#", "#", true), ("+", "#", false), ("a/#", "a", true),
        ("a/#", "a/#", true), ("a/#", "a/b/#", true), ("a/b/#", "a/#", false), ("a/+/#", "a/#", false), ("a/+", "a", false),
        ("a/+", "a/b/c", false), ("+/b", "a/b", true), ("#", "$SYS/a", false), ("+/a", "$SYS/a", false),
        ("$SYS/#", "$SYS/a", true), ("$SYS/#", "#", false), ("$SYS/+", "$SYS/+", true), ("a/+/c", "a/b/c", true),
        ("a/+/c", "a/+/+", false), ("/", "/", true), ("+/+", "/", true), ("/+", "/", true), ("a/#", "a/", true),
    ])
    func covers(outer: String, inner: String, expected: Bool) {
        #expect(FilterCoverage.covers(outer, inner) == expected)
    }

    @Test("two filters overlap when they have a topic in common", arguments: [
        ("a/b", "a/b", true), ("a/b", "a/c", false), ("a/+", "+/b", true), ("a/+", "a", false), ("a/#", "a", true),
        ("a/#", "+", true), ("a/#", "b/#", false), ("#", "a", true), ("#", "$SYS/a", false), ("$SYS/#", "+/a", false),
        ("$SYS/#", "$SYS/+", true), ("a/+/c", "a/b/+", true), ("a/+/c", "a/b/d", false), ("a/b/#", "a/+", true),
        ("a/b/c/#", "a/b", false), ("a/b", "a/b/c", false),
    ])
    func overlaps(one: String, other: String, expected: Bool) {
        #expect(FilterCoverage.overlaps(one, other) == expected)
        #expect(FilterCoverage.overlaps(other, one) == expected)
    }

    @Test("coverage and overlap are what matching every topic says")
    func againstMatching() {
        // `z` stands for every level that no filter names; four levels are more than any filter here has.
        let topics = Self.paths(of: ["a", "b", "$s", "", "z"], depth: 4)
        let filters = Self.paths(of: ["a", "$s", "", "+", "#"], depth: 3).compactMap { TopicFilter($0) }
        let matches = filters.map { filter in topics.map { filter.matches($0) } }
        for (i, outer) in filters.enumerated() {
            for (j, inner) in filters.enumerated() {
                let covers = zip(matches[i], matches[j]).allSatisfy { $0 || !$1 }
                let overlaps = zip(matches[i], matches[j]).contains { $0 && $1 }
                // A filter `/#` has the empty topic, which does not exist, so that what is said of it errs to the safe side.
                let isSafe = outer.text == "/#" || inner.text == "/#"
                let saysCovers = FilterCoverage.covers(outer.text, inner.text)
                let saysOverlaps = FilterCoverage.overlaps(outer.text, inner.text)
                #expect(isSafe ? covers || !saysCovers : saysCovers == covers, "\(outer) covers \(inner)")
                #expect(isSafe ? saysOverlaps || !overlaps : saysOverlaps == overlaps, "\(outer) overlaps \(inner)")
            }
        }
    }

    /// Every path of 1 to `depth` of these levels that is not empty.
    static func paths(of levels: [String], depth: Int) -> [String] {
        var all: [String] = []
        var last = levels
        for _ in 1...depth {
            all += last
            last = last.flatMap { path in levels.map { "\(path)/\($0)" } }
        }
        return all.filter { !$0.isEmpty }
    }
}
