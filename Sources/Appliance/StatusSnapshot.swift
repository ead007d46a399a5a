import Bridge
import Broker
import Core
import FieldBus

/// The state of the appliance at one moment, for the summary on the terminal.
struct StatusSnapshot: Sendable {
    struct Point: Sendable {
        var device: DeviceIdentifier
        var identifier: String
        var unit: String?
        var sample: Sample?
    }

    var time: Timestamp
    var monotonic: MonotonicTime
    var uptime: Duration
    var name: String
    var listeners: [String]
    var clients: Int
    var broker: BrokerStatistics
    var samples: UInt64
    var points: [Point]
    var buses: [BusStatus]
    var bridges: [BridgeReport]
    var cache: CacheFigures
    var rules: [(name: String, matched: UInt64, failed: UInt64)]
}
