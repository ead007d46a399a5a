public import Core

/// An edge node of Sparkplug B: what it is called there, and how it speaks.
public struct SparkplugConfiguration: Sendable, Equatable {
    /// One topic level.
    public var group: String
    /// One topic level; unique within its group.
    public var edgeNode: String
    /// The host application without which nothing is sent; nil for none.
    public var primaryHost: String?
    /// What devices are called, with `${product}` and `${device}` in it; one topic level.
    public var deviceName = "${product}:${device}"
    /// How data, births and deaths are sent. The specification says 0.
    public var qos = QoS.atMostOnce
    /// How long a device may take to answer a command.
    public var commandTimeout = Duration.seconds(30)

    public init(group: String, edgeNode: String) {
        self.group = group
        self.edgeNode = edgeNode
    }
}
