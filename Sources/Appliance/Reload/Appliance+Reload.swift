import Configuration
import Logging
import NIOPosix
import Store

// Reading the configuration again, as SIGHUP asks for.
//
//     read and check the file ── a mistake ──> logged; all stays as it is
//            │
//     close what is in the way of something new, open that ── a failure ──> the ports are made what they were; all stays as it is
//            │
//     close the ports that are no longer there, end the buses that are not as they were
//            │
//     on the broker's loop, in one go: limits, settings of listeners, devices, rules, bridges; the clients of closed ports are
//     told; users and access rules
//            │
//     begin the buses that are new or not as they were

extension Appliance {
    /// What holds.
    struct InForce {
        var configuration: MartletConfiguration
        var files: FilesRead

        init(_ plan: AppliancePlan) {
            configuration = plan.configuration
            files = FilesRead(plan)
        }
    }

    /// Brings a running appliance to what the configuration file says now. Connections stay, but those of a listener that
    /// is gone.
    ///
    /// - Parameters:
    ///   - inForce: what holds; afterwards what holds then.
    ///   - ports: those that are open.
    func reload(
        _ inForce: inout InForce, _ ports: inout OpenPorts, _ core: ApplianceCore,
        storage: Storage, group: MultiThreadedEventLoopGroup
    ) async {
        let log = logger("appliance")
        guard let loadPlan else {
            log.notice("there is no configuration file to read again")
            return
        }
        ServiceNotifier.reloading()
        defer { ServiceNotifier.ready() }
        let plan: AppliancePlan
        do throws(ConfigurationErrors) {
            plan = try loadPlan()
        } catch {
            for mistake in error.errors { log.error("a mistake in the configuration", metadata: ["detail": "\(mistake)"]) }
            log.error("the configuration stays as it was", metadata: ["mistakes": "\(error.errors.count)"])
            return
        }
        log.report(plan.warnings)
        var new = plan.configuration
        let change = ConfigurationChange(from: inForce.configuration, to: &new)
        let changed: PortsChanged
        do throws(ApplianceError) {
            changed = try await self.change(&ports, to: new, plan.listeners, core, group: group)
        } catch {
            log.error("the configuration stays as it was", metadata: ["error": "\(error)"])
            return
        }
        sink.setLevel(Logger.Level(rawValue: new.appliance.logLevel.rawValue) ?? .notice)
        let buses = core.field.change(to: plan)
        await core.field.end(buses)
        let force = ApplianceCore.NewForce(
            plan: plan, settings: new, buses: buses, lanes: (try? await storage.status().cache.lanes) ?? [],
            closed: changed.closed, renamed: changed.renamed)
        await storage.setLimits(new.cacheLimits(maximumBytes: await storage.limits.maximumBytes))
        await core.eventLoop.run { core.apply(force) }
        await changed.accept()
        core.field.begin(buses)
        let files = FilesRead(plan)
        let applied = change.applied + files.changed(from: inForce.files)
        inForce.configuration = new
        inForce.files = files
        log.notice("configuration reloaded", metadata: ["changed": "\(applied.isEmpty ? "nothing" : applied.joined(separator: ", "))"])
        if !change.needsRestart.isEmpty {
            log.warning("changes that wait for the next start", metadata: ["tables": "\(change.needsRestart.joined(separator: " "))"])
        }
    }
}
