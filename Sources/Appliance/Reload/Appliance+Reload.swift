import Configuration
import Console
import Core
import Logging
import MQTTServer
import NIOCore
import NIOPosix
import Store

// Reading the configuration again, as SIGHUP asks for.
//
//     read and check the file ── a mistake ──> logged; all stays as it is
//            │
//     open what is new ───────── a failure ──> what was opened is closed again; all stays as it is
//            │
//     close the ports that are no longer there, end the buses that are not as they were
//            │
//     on the broker's loop, in one go: limits, settings of listeners, devices, rules, bridges; the clients of closed ports are
//     told; users and access rules
//            │
//     begin the buses that are new or not as they were

extension Appliance {
    /// Brings a running appliance to what the configuration file says now. Connections stay, but those of a listener that
    /// is gone.
    ///
    /// - Parameters:
    ///   - inForce: the configuration that holds; afterwards the one that holds then.
    ///   - ports: those that are open.
    func reload(
        _ inForce: inout MartletConfiguration, _ ports: inout OpenPorts, _ core: ApplianceCore,
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
        let change = ConfigurationChange(from: inForce, to: &new)
        let opened: OpenPorts
        do throws(ApplianceError) {
            opened = try await open(new, plan.listeners, core, group: group, beside: ports)
        } catch {
            log.error("the configuration stays as it was", metadata: ["error": "\(error)"])
            return
        }
        sink.setLevel(Logger.Level(rawValue: new.appliance.logLevel.rawValue) ?? .notice)
        // Before their clients are sent away, or they would come back at once.
        let closed = ports.takeListeners(notIn: new)
        for port in closed { try? await port.close() }
        let buses = core.field.change(to: plan)
        await core.field.end(buses)
        let force = ApplianceCore.NewForce(
            plan: plan, settings: new, buses: buses, lanes: (try? await storage.status().cache.lanes) ?? [], closed: closed,
            renamed: ports.renameListeners(as: new))
        await storage.setLimits(new.cacheLimits(maximumBytes: await storage.limits.maximumBytes))
        await core.eventLoop.run { core.apply(force) }
        core.field.begin(buses)
        ports.listeners += opened.listeners
        if let metrics = ports.metrics, metrics.table != new.metrics {
            try? await metrics.channel.close()
            ports.metrics = nil
        }
        if let metrics = opened.metrics { ports.metrics = metrics }
        inForce = new
        log.notice(
            "configuration reloaded", metadata: ["changed": "\(change.applied.isEmpty ? "nothing" : change.applied.joined(separator: " "))"])
        if !change.needsRestart.isEmpty {
            log.warning("changes that wait for the next start", metadata: ["tables": "\(change.needsRestart.joined(separator: " "))"])
        }
    }

    /// Opens what a configuration wants and what is not open yet.
    ///
    /// - Throws: if one of them cannot be opened; then none is.
    func open(
        _ configuration: MartletConfiguration, _ listeners: [MQTTServer.Listener], _ core: ApplianceCore, group: MultiThreadedEventLoopGroup,
        beside ports: OpenPorts
    ) async throws(ApplianceError) -> OpenPorts {
        var opened = OpenPorts()
        do throws(ApplianceError) {
            for (table, listener) in zip(configuration.listeners, listeners)
            where ports.index(of: table.place) == nil {
                opened.listeners.append(
                    OpenPorts.Port(table: table, channel: try await open(listener, core, group: group)))
            }
            let metrics = configuration.metrics
            if let server = configuration.metricsServer(core, logger: logger("metrics")), metrics != ports.metrics?.table {
                // The same port with another path: the old one has to go first, and was free to be opened.
                if ports.metrics?.table.hasSamePlace(as: metrics) == true { try? await ports.metrics?.channel.close() }
                do {
                    opened.metrics = (metrics, try await server.open(group: group).get())
                } catch {
                    throw .listener("the metrics cannot be opened on \(server.place): \(error)")
                }
            }
        } catch {
            for channel in opened.channels { try? await channel.close() }
            throw error
        }
        return opened
    }

    private func open(
        _ listener: MQTTServer.Listener, _ core: ApplianceCore, group: MultiThreadedEventLoopGroup
    ) async throws(ApplianceError) -> any Channel {
        do {
            let opening = await core.eventLoop.run { core.open(listener, group: group) }
            return try await opening.get()
        } catch {
            throw .listener("listener \(listener.settings.name) cannot be opened on \(listener.place): \(error)")
        }
    }
}

extension MartletConfiguration.Metrics {
    func hasSamePlace(as other: Self) -> Bool { address == other.address && port == other.port }
}
