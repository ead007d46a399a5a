import ArgumentParser

struct CacheCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "The breakpoint cache: plans its size, shows what waits in it, exports and purges.",
        subcommands: [CachePlanCommand.self])
}
