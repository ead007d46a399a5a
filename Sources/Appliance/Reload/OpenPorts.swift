import Configuration
import MQTTServer
import NIOCore

/// The ports that are open, with the tables that they were opened for.
struct OpenPorts: Sendable {
    struct Port: Sendable {
        var table: MartletConfiguration.Listener
        var channel: any Channel
    }

    var listeners: [Port] = []
    var metrics: (table: MartletConfiguration.Metrics, channel: any Channel)?

    /// For the commands of this machine.
    var control: (any Channel)?

    var channels: [any Channel] {
        listeners.map(\.channel) + (metrics.map { [$0.channel] } ?? []) + (control.map { [$0] } ?? [])
    }

    func index(of place: String) -> Int? { listeners.firstIndex { $0.table.place == place } }

    /// Takes out the listeners that a configuration does not have.
    mutating func takeListeners(notIn configuration: MartletConfiguration) -> [any Channel] {
        let places = Set(configuration.listeners.map(\.place))
        let gone = listeners.filter { !places.contains($0.table.place) }
        listeners.removeAll { !places.contains($0.table.place) }
        return gone.map(\.channel)
    }

    /// Notes the tables that a configuration has for the listeners.
    ///
    /// - Returns: the new name of each listener by its old one.
    mutating func renameListeners(as configuration: MartletConfiguration) -> [String: String] {
        var names: [String: String] = [:]
        for table in configuration.listeners {
            guard let index = index(of: table.place) else { continue }
            names[listeners[index].table.name] = table.name
            listeners[index].table = table
        }
        return names
    }
}

extension MartletConfiguration.Listener {
    /// What two listeners cannot share.
    var place: String { transport == .unix ? path ?? "" : "\(address):\(port)" }
}
