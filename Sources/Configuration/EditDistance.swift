/// The name that was probably meant: the first of those that are the fewest edits away, if those are few for its length.
package func nearest(to name: String, among names: [String]) -> String? { allNearest(to: name, among: names).first }

/// All names that are the fewest edits away.
func allNearest(to name: String, among names: [String]) -> [String] {
    let length = name.utf8.count
    guard length <= 64 else { return [] }
    var best: (names: [String], distance: Int) = ([], .max)
    for candidate in names {
        let size = candidate.utf8.count
        let limit = min(max(2, size / 3), size - 1, best.distance)
        guard abs(size - length) <= limit else { continue }
        let distance = editDistance(name, candidate)
        guard distance <= limit else { continue }
        if distance < best.distance { best = ([], distance) }
        best.names.append(candidate)
    }
    return best.names
}

/// How many insertions, deletions, replacements and swaps of neighbours turn one text into the other (optimal string
/// alignment).
func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.utf8)
    let b = Array(b.utf8)
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var distance = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { distance = min(distance, beforeLast[j - 1] + 1) }
            row.append(distance)
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
