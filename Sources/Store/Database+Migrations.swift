/// A named step from an older layout of a file to the next. Steps are only ever added at the end of the list, and what
/// one does is never changed after a release.
struct Migration {
    let name: String
    let sql: String
}

extension Database {
    /// Runs the steps that the file has not seen yet, each in a transaction of its own, and remembers their names.
    ///
    /// A file that knows more steps than these was made by a newer version: that is an error, not damage. One that knows
    /// others in their place is damaged.
    func migrate(_ migrations: [Migration]) throws(StoreError) {
        try execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        let applied = try texts("SELECT name FROM migration ORDER BY number")
        let known = migrations.map(\.name)
        if applied.count > known.count, applied.starts(with: known) {
            throw .failed(
                code: .error,
                message: "\(path) was made by a newer version of the program (step \"\(applied[known.count])\"); use that version",
                sql: "")
        }
        guard known.starts(with: applied) else {
            throw .damaged(file: path, message: "the steps of its layout are \(applied.prefix(8).joined(separator: ", "))")
        }
        for migration in migrations.dropFirst(applied.count) {
            try transaction { () throws(StoreError) in
                try execute(migration.sql)
                let insert = try statement("INSERT INTO migration (name) VALUES (?)")
                try insert.bind(1, migration.name)
                try insert.run()
            }
        }
    }
}
