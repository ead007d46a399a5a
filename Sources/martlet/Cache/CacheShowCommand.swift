import Appliance
import ArgumentParser

struct CacheShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Says what waits in the cache, route by route, of a box that runs or not.")

    @Argument(help: DataDirectory.help)
    var box: String

    @Flag(help: "Writes one JSON object.")
    var json = false

    func run() async throws {
        try await CacheAccess.use(box) { access in
            switch access {
            case .files(let inspector):
                Console.print(String(decoding: try await inspector.show(asJSON: json), as: UTF8.self))
            case .box(let client):
                let answer = try client.get("/cache" + (json ? "" : "?format=text"))
                Console.print(String(decoding: answer.body, as: UTF8.self))
            }
        }
    }
}
