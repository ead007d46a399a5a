import Configuration
import Console
import Logging
import MQTTServer
import NIOCore
import NIOPosix

extension Appliance {
    /// What has become of the ports of listeners.
    struct PortsChanged {
        /// Those that were opened. Their clients wait until ``accept()``: for the users and the permissions of the same file.
        var opened: [any Channel] = []
        /// Those whose listeners are gone.
        var closed: [any Channel] = []
        /// New names of the listeners that stay, by their old ones.
        var renamed: [String: String] = [:]

        func accept() async {
            for channel in opened { try? await channel.setOption(.autoRead, value: true).get() }
        }
    }

    /// Opens what a configuration wants and closes what it does not have.
    ///
    /// - Throws: if one of them cannot be opened; then the ports are as they were.
    func change(
        _ ports: inout OpenPorts, to new: MartletConfiguration, _ listeners: [MQTTServer.Listener], _ core: ApplianceCore,
        group: MultiThreadedEventLoopGroup
    ) async throws(ApplianceError) -> PortsChanged {
        let change = PortChange(
            ports.listeners.map { ($0.table, $0.channel.isActive) }, metrics: ports.metrics.map { ($0.table, $0.channel.isActive) }, to: new)
        for index in change.inTheWay { await ports.listeners[index].channel.release() }
        if change.metricsAreInTheWay { await ports.metrics?.channel.release() }
        var opened: [OpenPorts.Port] = []
        var metrics: (any Channel)?
        do throws(ApplianceError) {
            for opening in change.openings {
                let listener = listeners[opening.listener]
                let table = new.listeners[opening.listener]
                let channel = try await open(
                    listener, of: table, core, group: group, inPlaceOf: opening.inPlaceOf.map { ports.listeners[$0].channel },
                    isAccepting: false)
                opened.append(OpenPorts.Port(table: table, listener: listener, channel: channel))
            }
            if change.opensMetrics { metrics = try await openMetrics(new, core, group: group) }
        } catch {
            await takeBack(opened, of: change, &ports, core, group: group)
            throw error
        }

        var result = PortsChanged(opened: opened.map(\.channel))
        var after: [OpenPorts.Port] = []
        for staying in change.staying {
            let table = new.listeners[staying.listener]
            result.renamed[ports.listeners[staying.port].table.name] = table.name
            after.append(
                OpenPorts.Port(table: table, listener: listeners[staying.listener], channel: ports.listeners[staying.port].channel))
        }
        for (opening, port) in zip(change.openings, opened) {
            if let before = opening.inPlaceOf { result.renamed[ports.listeners[before].table.name] = port.table.name }
            after.append(port)
        }
        // Before their clients are sent away, or they would come back at once.
        for index in change.leaving {
            await ports.listeners[index].channel.release()
            result.closed.append(ports.listeners[index].channel)
        }
        if change.closesMetrics {
            await ports.metrics?.channel.release()
            ports.metrics = nil
        }
        if let metrics { ports.metrics = OpenPorts.Metrics(table: new.metrics, channel: metrics) }
        ports.listeners = after
        return result
    }

    /// Not everything could be opened: what could is closed, before it has accepted anybody, and what had to make way for it is
    /// opened again.
    private func takeBack(
        _ opened: [OpenPorts.Port], of change: PortChange, _ ports: inout OpenPorts, _ core: ApplianceCore,
        group: MultiThreadedEventLoopGroup
    ) async {
        for port in opened { await port.channel.release() }
        for (opening, port) in zip(change.openings, opened) {
            guard let before = opening.inPlaceOf else { continue }
            // The connections are with this one now.
            ports.listeners[before].channel = port.channel
        }
        for index in change.inTheWay {
            let port = ports.listeners[index]
            do throws(ApplianceError) {
                ports.listeners[index].channel = try await open(
                    port.listener, of: port.table, core, group: group, inPlaceOf: port.channel, isAccepting: true)
            } catch {
                logger("appliance").critical(
                    "a port that had to make way cannot be opened again; a reload tries it once more", metadata: ["error": "\(error)"])
            }
        }
        if change.metricsAreInTheWay, let table = ports.metrics?.table {
            var before = MartletConfiguration()
            before.metrics = table
            do throws(ApplianceError) {
                if let channel = try await openMetrics(before, core, group: group) { ports.metrics?.channel = channel }
            } catch {
                logger("appliance").error("the metrics had to make way; a reload tries them once more", metadata: ["error": "\(error)"])
            }
        }
    }

    private func open(
        _ listener: MQTTServer.Listener, of table: MartletConfiguration.Listener, _ core: ApplianceCore,
        group: MultiThreadedEventLoopGroup, inPlaceOf port: (any Channel)?, isAccepting: Bool
    ) async throws(ApplianceError) -> any Channel {
        do {
            let opening = await core.eventLoop.run { core.open(listener, group: group, inPlaceOf: port, isAccepting: isAccepting) }
            return try await opening.get()
        } catch {
            let subject = "listener \(table.name.quotedForMessage)"
            throw .port(
                OpeningFailure(subject: subject, place: listener.place.description, network: table.networkPlace, error: error))
        }
    }

    /// nil if the configuration wants none.
    private func openMetrics(
        _ configuration: MartletConfiguration, _ core: ApplianceCore, group: MultiThreadedEventLoopGroup
    ) async throws(ApplianceError) -> (any Channel)? {
        guard let server = configuration.metricsServer(core, logger: logger("metrics")) else { return nil }
        do {
            return try await server.open(group: group).get()
        } catch {
            throw .port(
                OpeningFailure(
                    subject: "[metrics]", place: server.place.description, network: configuration.metrics.networkPlace, error: error))
        }
    }
}
