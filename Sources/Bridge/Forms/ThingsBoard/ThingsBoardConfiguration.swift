/// A gateway of ThingsBoard: how its devices are called there, and what is said of them.
public struct ThingsBoardConfiguration: Sendable, Equatable {
    /// What devices are called, with `${product}` and `${device}` in it.
    public var deviceName = "${product}/${device}"
    /// Devices whose values one message may hold, 1…1000.
    ///
    /// ThingsBoard acknowledges such a message once for each of its devices, the first time before the others are stored.
    public var devicesPerMessage = 1
    /// Whether each measurement point has its quality digit and reason beside it, as `POINT.quality` and `POINT.reason`.
    public var sendsQuality = false
    /// Whether shared attributes that are called as writable points are asked for at each connection, and written where they
    /// differ from what the point last told.
    public var syncsAttributes = false
    /// How long a device may take to answer a command.
    public var commandTimeout = Duration.seconds(10)

    public init() {}
}
