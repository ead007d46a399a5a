import Appliance
import ArgumentParser
import Core
import Payload

struct CachePlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Says how long the cache lasts, how long it takes to drain, and what it costs the disk.",
        discussion: """
            The points that the file has on buses are made up and stored by the real cache as they would come, in memory and \
            beside the data directory: what a record takes is measured, not assumed. The size is that of this machine's disk, unless --disk says \
            otherwise.
            """)

    @Argument(help: "The configuration file.")
    var file: String

    @Option(help: "Length of the outage, in hours.")
    var hours = 24.0

    @Option(help: "What the uplink takes, in kbit/s.")
    var uplink: Double?

    @Option(help: "Size of the disk, empty but for the cache, in GB; of this machine's if not given.")
    var disk: Double?

    @Option(help: "Messages a second of clients that are forwarded beside the points.")
    var rate = 0.0

    @Option(help: "Bytes of such a message's payload.")
    var payload = 100

    @Option(help: "The share of polls at which points that are published on change have changed; the others are in every poll's record.")
    var changing = 1.0

    @Flag(help: "Writes one JSON object.")
    var json = false

    func validate() throws {
        guard hours > 0, hours <= 100_000 else { throw ValidationError("--hours is more than 0, at most 100000") }
        if let uplink, !(uplink > 0 && uplink <= 1e9) { throw ValidationError("--uplink is more than 0, at most 1000000000 kbit/s") }
        if let disk, !(disk >= 0.01 && disk <= 1e6) { throw ValidationError("--disk is 0.01…1000000 GB") }
        guard rate >= 0, rate <= 1e6 else { throw ValidationError("--rate is 0…1000000") }
        guard (0...1_000_000).contains(payload) else { throw ValidationError("--payload is 0…1000000") }
        guard changing > 0, changing <= 1 else { throw ValidationError("--changing is more than 0, at most 1") }
    }

    func run() async throws {
        do {
            let plan = try AppliancePlan.load(path: file)
            var assumptions = CachePlanner.Assumptions()
            assumptions.outage = .milliseconds(Int64(hours * 3_600_000))
            assumptions.uplinkBitsPerSecond = uplink.map { $0 * 1000 }
            assumptions.diskBytes = disk.map { Int64($0 * 1e9) }
            assumptions.clientMessages = (rate, payload)
            assumptions.changing = changing
            var report = try await CachePlanner(plan).report(assumptions)
            if let now = CachePlanCommand.measured(plan.dataDirectory) {
                report.add(recordsPerSecond: now.recordsPerSecond, cachedBytesPerRecord: now.cachedBytesPerRecord)
            }
            Console.print(json ? String(decoding: report.json, as: UTF8.self) : report.text)
        } catch {
            throw ExitCode.after(error)
        }
    }

    /// What a box that runs on the directory says of itself; nil if there is none, or nothing has come yet.
    private static func measured(_ directory: String) -> (recordsPerSecond: Double, cachedBytesPerRecord: Double)? {
        let client = ControlClient(directory: directory)
        guard client.isThere, let body = try? client.get("/cache").body else { return nil }
        return body.withUnsafeBytes { bytes in
            var scanner = JSONScanner()
            do throws(JSONError) { try scanner.scan(bytes) } catch { return nil }
            guard let rate = scanner.member("recordsPerSecond", of: JSONScanner.root), let records = scanner.number(rate)?.double,
                let size = scanner.member("cachedBytesPerRecord", of: JSONScanner.root), let cached = scanner.number(size)?.double,
                records > 0, cached > 0
            else { return nil }
            return (records, cached)
        }
    }
}
