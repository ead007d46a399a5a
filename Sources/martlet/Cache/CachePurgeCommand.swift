import Appliance
import ArgumentParser
import Glibc
import Payload

struct CachePurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Gives up messages that wait in the cache: they will not arrive.",
        discussion: """
            What is given up is counted and reported as a loss. Either all of it is gone afterwards or, after a crash meanwhile, \
            none. --older-than takes whole blocks of messages, as they were stored.
            """)

    @Argument(help: DataDirectory.help)
    var box: String

    @OptionGroup var selection: CacheSelectionOptions

    @Flag(help: "Does not ask.")
    var yes = false

    @Flag(help: "Writes one JSON object.")
    var json = false

    func run() async throws {
        let selection = try selection.selection()
        if !yes, !CachePurgeCommand.isConfirmed(selection) {
            Console.error("martlet: nothing was purged")
            throw ExitCode(1)
        }
        try await CacheAccess.use(box) { access in
            let result: (messages: Int64, json: [UInt8])
            switch access {
            case .files(let inspector):
                try await CacheAccess.check(selection, box, inspector)
                let purged = PurgeResult(try await inspector.purge(selection).losses)
                result = (purged.messages, purged.json)
            case .box(let client):
                let body = try client.post("/cache/purge?" + ExportQuery(selection: selection, format: .json).text).body
                result = (CachePurgeCommand.messages(body), body)
            }
            Console.print(json ? String(decoding: result.json, as: UTF8.self) : "purged \(result.messages) messages")
        }
    }

    private static func isConfirmed(_ selection: CacheSelection) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            Console.error("martlet: say --yes where nobody can be asked")
            return false
        }
        let what = selection.bridge.map { "bridge \($0)" } ?? "all bridges"
        let which = selection.priority.map { ", priority \($0)" } ?? ""
        let age = selection.olderThan == nil ? "" : ", of that age"
        Console.error("Give up the messages that wait for \(what)\(which)\(age)? They will not arrive. [y/N]")
        return readLine().map { ["y", "yes"].contains($0.lowercased()) } ?? false
    }

    private static func messages(_ json: [UInt8]) -> Int64 {
        json.withUnsafeBytes { bytes in
            var scanner = JSONScanner()
            do throws(JSONError) { try scanner.scan(bytes) } catch { return 0 }
            return scanner.integer("messages", of: JSONScanner.root) ?? 0
        }
    }
}
