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

    var channels: [any Channel] { listeners.map(\.channel) + (metrics.map { [$0.channel] } ?? []) }

    func index(of place: String) -> Int? { listeners.firstIndex { $0.table.place == place } }
}

extension MartletConfiguration.Listener {
    /// What two listeners cannot share.
    var place: String { transport == .unix ? path ?? "" : "\(address):\(port)" }
}
