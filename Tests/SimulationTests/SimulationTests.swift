import Glibc
import Testing

/// `MARTLET_SIMULATION_SEED` runs that seed alone, `MARTLET_SIMULATION_RUNS` that many instead of the usual number.
@Suite("Simulation")
struct SimulationTests {
    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    static var seeds: [UInt64] { seeds(40) }

    private static func seeds(_ usual: UInt64) -> [UInt64] {
        if let seed = number("MARTLET_SIMULATION_SEED") { return [seed] }
        return Array(1...(number("MARTLET_SIMULATION_RUNS") ?? usual))
    }

    @Test("nothing acknowledged is lost and order holds through crashes, lost connections and a slow upstream")
    func nothingIsLost() {
        var crashes = 0
        var failedCommits = 0
        var reads = 0
        var resumptions = 0
        var seals = 0
        for seed in SimulationTests.seeds {
            let simulation = Simulation(seed: seed)
            simulation.run(steps: 5_000)
            #expect(
                simulation.faults.isEmpty,
                "MARTLET_SIMULATION_SEED=\(seed): \(simulation.faults.prefix(3).joined(separator: "; "))")
            crashes += simulation.crashes
            failedCommits += simulation.failedCommits
            reads += simulation.reads
            resumptions += simulation.resumptions
            seals += simulation.seals
        }
        // Runs in which nothing goes wrong show nothing; a single one may happen to be so.
        if SimulationTests.seeds.count < 10 { return }
        #expect(crashes > 0 && failedCommits > 0 && reads > 0 && resumptions > 0 && seals > 0)
    }

    @Test("sessions, subscriptions, wills, retained and shared messages are kept and ended as they should through crashes")
    func sessions() { runSessions(isHarmless: false) }

    @Test("without a failure each message of a shared subscription comes to exactly one of the group")
    func sessionsWithoutFailure() { runSessions(isHarmless: true) }

    private func runSessions(isHarmless: Bool) {
        var crashes = 0
        var resumptions = 0
        var wills = 0
        let seeds = SimulationTests.seeds(12)
        for seed in seeds {
            let simulation = SessionSimulation(seed: seed, isHarmless: isHarmless)
            simulation.run(rounds: 4, steps: 1_500)
            #expect(
                simulation.faults.isEmpty,
                "MARTLET_SIMULATION_SEED=\(seed): \(simulation.faults.prefix(3).joined(separator: "; "))")
            crashes += simulation.crashes
            resumptions += simulation.resumptions
            wills += simulation.willCount
        }
        if seeds.count < 10 { return }
        #expect(resumptions > 0 && wills > 0 && (isHarmless || crashes > 0))
    }
}
