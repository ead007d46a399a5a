import Appliance
import ArgumentParser
import Glibc

struct CacheExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes what waits in the cache on standard output, a message a line. Nothing is changed by it.",
        discussion: """
            A box that runs goes on meanwhile: messages may leave before they are read. What is not UTF-8 is in Base 64.
            """)

    @Argument(help: DataDirectory.help)
    var box: String

    @OptionGroup var selection: CacheSelectionOptions

    @Flag(help: "Writes comma-separated values in place of JSON lines.")
    var csv = false

    @Flag(help: "Writes the blocks that were found damaged and are kept, in Base 64, in place of messages.")
    var damaged = false

    func validate() throws {
        if damaged, csv { throw ValidationError("--damaged writes JSON lines: leave out --csv") }
    }

    func run() async throws {
        if damaged { return try await writeDamaged() }
        var query = ExportQuery(selection: try selection.selection(), format: csv ? .csv : .json)
        try await CacheAccess.use(box) { access in
            switch access {
            case .files(let inspector):
                try await CacheAccess.check(query.selection, box, inspector)
                repeat {
                    let page = try await inspector.export(query.selection, format: query.format, from: query.cursor)
                    try Console.write(page.text)
                    query.cursor = page.next
                } while query.cursor != nil
            case .box(let client):
                var next: String? = query.text
                while let query = next {
                    let page = try client.get("/cache/export?" + query)
                    try Console.write(page.body)
                    next = page.headers[ControlSocket.nextHeader.lowercased()]
                }
            }
        }
    }

    private func writeDamaged() async throws {
        try await CacheAccess.use(box) { access in
            switch access {
            case .files(let inspector): try Console.write(try await inspector.exportDamaged())
            case .box(let client): try Console.write(try client.get("/cache/damaged").body)
            }
        }
    }
}
