import Broker
import MQTTCodec

// The words of events and metrics for the end of a connection.

extension DisconnectCause {
    /// Who ended it: `client`, `network` or `broker`.
    var by: String {
        switch self {
        case .byClient: "client"
        case .connectionLost: "network"
        case .byBroker: "broker"
        }
    }

    /// `normal`, `connection-lost`, `session-taken-over`…
    var reason: String { reasonCode?.keyword ?? "connection-lost" }

    /// nil where neither side gave one.
    var reasonCode: ReasonCode? {
        switch self {
        case .byClient(let reason), .byBroker(let reason): reason
        case .connectionLost: nil
        }
    }
}
