public import Core

/// A gateway of the EnOS platform: who the box is there, and how it speaks.
public struct EnOSConfiguration: Sendable, Equatable {
    public enum Compression: Sendable {
        case none
        /// Every payload, in both directions.
        case gzip
    }

    /// The box's own keys, those of a gateway device.
    public var gateway: DeviceIdentifier
    public var signMethod = EnOSSignature.Method.sha256
    /// Whether the secret's file has the product's secret in place of the gateway's, which the platform then gives once.
    public var activates = false
    /// Posts that are joined into one message, 1…1000; 1 sends each under its own device's topic.
    public var batchSize = 1
    /// Devices that one login request names, 1…200; 1 uses the request for a single device.
    public var loginBatchSize = 50
    /// Devices that are logged in at one time; the platform's limit is 200.
    public var maximumOnline = 200
    /// Whether a number's quality digit goes up with it. The points of a model that have no quality do not take one.
    public var sendsQuality = true
    public var compression = Compression.none
    /// How long a device may take to answer a command.
    public var commandTimeout = Duration.seconds(30)
    /// As ``commandTimeout``, for RRPC.
    public var rrpcTimeout = Duration.seconds(8)
    /// How long the platform may take to answer a login.
    public var loginTimeout = Duration.seconds(30)

    public init(gateway: DeviceIdentifier) { self.gateway = gateway }
}
