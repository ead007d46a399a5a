import Configuration
import MQTTServer
import NIOCore

/// The ports that are open, with what they were opened for.
struct OpenPorts: Sendable {
    struct Port: Sendable {
        var table: MartletConfiguration.Listener
        /// As it is in force.
        var listener: MQTTServer.Listener
        /// One that could not be opened again has a closed one.
        var channel: any Channel
    }

    struct Metrics: Sendable {
        var table: MartletConfiguration.Metrics
        var channel: any Channel
    }

    var listeners: [Port] = []
    var metrics: Metrics?

    /// For the commands of this machine.
    var control: (any Channel)?

    var channels: [any Channel] {
        listeners.map(\.channel) + (metrics.map { [$0.channel] } ?? []) + (control.map { [$0] } ?? [])
    }
}

extension MartletConfiguration.Listener {
    /// What two listeners cannot share.
    var place: String { networkPlace?.description ?? path ?? "" }
}

extension Channel {
    /// Returns when the port is free again; connections that came through it go on.
    func release() async {
        // A closed one says so.
        try? await close()
        // What else its end brings about, like the removal of a socket's file, was asked for earlier and is done by then.
        try? await closeFuture.get()
    }
}
