/// Chooses the journal of the cache file by what commits are like.
///
/// Measured with pages of 1 KiB, bytes written to disk per byte of payload:
///
///     a commit adds           WAL      PERSIST
///     2 KB, nobody reads      5.3      12.5
///     2 KB, read at once      4.8      12.9
///     100 KB, nobody reads    2.2       1.3
///     100 KB, read at once    1.4       1.5
///     250 KB, nobody reads    2.1       1.1
///     250 KB, read at once    1.6       1.2
///
/// So small commits, the daily business, go to the WAL, which also syncs once where the other syncs four times. When
/// every commit is large, a WAL would write all of it twice, and the journal of old pages, of which a commit that only
/// adds has few, does better.
struct JournalPolicy {
    private(set) var mode: Database.JournalMode
    /// Commits in a row that speak for the other mode.
    private var streak = 0

    static let largeCommit = 64 << 10
    static let smallCommit = 32 << 10
    /// A change of mode writes out the journal and syncs several times, so it waits for this many commits.
    static let patience = 8

    init(mode: Database.JournalMode = .wal) { self.mode = mode }

    /// Takes in the bytes that a commit added to the file; the mode for the next one.
    mutating func next(afterAdding bytes: Int) -> Database.JournalMode {
        guard bytes > 0 else { return mode }
        let other: Database.JournalMode? =
            switch mode {
            case .wal: bytes >= JournalPolicy.largeCommit ? .persist : nil
            case .persist: bytes < JournalPolicy.smallCommit ? .wal : nil
            }
        streak = other == nil ? 0 : streak + 1
        if let other, streak >= JournalPolicy.patience {
            mode = other
            streak = 0
        }
        return mode
    }
}
