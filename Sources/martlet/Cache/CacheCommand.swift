import Appliance
import ArgumentParser
import Core
import Store

struct CacheCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "The breakpoint cache: plans its size, shows what waits in it, exports and purges.",
        subcommands: [CachePlanCommand.self, CacheShowCommand.self, CacheExportCommand.self, CachePurgeCommand.self])
}

/// Which messages a command is about.
struct CacheSelectionOptions: ParsableArguments {
    @Option(help: "Of this bridge alone.")
    var bridge: String?

    @Option(help: ArgumentHelp("Of this route alone: BRIDGE/PRIORITY.", valueName: "route"))
    var route: String?

    @Option(help: "Published at least so long ago: 90s, 15m, 12h, 30d.")
    var olderThan: String?

    func validate() throws {
        if bridge != nil, route != nil { throw ValidationError("--route names the bridge already: leave out --bridge") }
        _ = try selection()
    }

    func selection() throws -> CacheSelection {
        var selection = CacheSelection(bridge: bridge)
        if let route {
            guard let named = CacheSelection(route: route) else { throw ValidationError("--route is BRIDGE/PRIORITY, such as cloud/5") }
            selection = named
        }
        if let olderThan {
            let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
            guard let unit = olderThan.last.flatMap({ units[$0] }), let number = Int64(olderThan.dropLast()), (0...36_500).contains(number / (86_400 / unit))
            else { throw ValidationError("--older-than is a whole number with s, m, h or d, such as 12h") }
            selection.olderThan = .seconds(number * unit)
        }
        return selection
    }
}

/// A cache, by the box that runs or by its files alone.
enum CacheAccess {
    case files(CacheInspector)
    case box(ControlClient)

    /// - Parameter box: as for ``DataDirectory/of(_:)``.
    /// - Throws: `ExitCode`, after it has said why the cache cannot be reached.
    static func open(_ box: String) async throws -> CacheAccess {
        do {
            let directory = try DataDirectory.of(box)
            guard FileContent.exists(directory + "/cache.db") else {
                Console.error("martlet: there is no cache in \(directory): no box has run with it")
                throw ExitCode(1)
            }
            do throws(StoreError) {
                return .files(try CacheInspector(directory: directory))
            } catch {
                guard case .busy(let message) = error else { throw error }
                let client = ControlClient(directory: directory)
                guard client.isThere else {
                    Console.error("martlet: \(message), which does not answer at \(client.path)")
                    throw ExitCode(1)
                }
                return .box(client)
            }
        } catch {
            throw ExitCode.after(error)
        }
    }

    /// Runs a command and says what goes wrong.
    static func use(_ box: String, _ body: (CacheAccess) async throws -> Void) async throws {
        let access = try await open(box)
        do {
            try await body(access)
            await access.close()
        } catch {
            await access.close()
            throw ExitCode.after(error)
        }
    }

    /// - Throws: `ExitCode`, after it has said that there are no such routes, and which there are.
    static func check(_ selection: CacheSelection, _ box: String, _ inspector: CacheInspector) async throws {
        // A file with mistakes, or a directory, names none: those with messages in the cache are known all the same.
        let configured = (try? AppliancePlan.load(path: box))?.routeNames ?? []
        guard let problem = try await inspector.problem(of: selection, configured: configured) else { return }
        Console.error("martlet: \(problem)")
        throw ExitCode(1)
    }

    private func close() async {
        if case .files(let inspector) = self { await inspector.close() }
    }
}
