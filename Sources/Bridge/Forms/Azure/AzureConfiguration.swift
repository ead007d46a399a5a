/// A device of an Azure IoT Hub.
public struct AzureConfiguration: Sendable, Equatable {
    public enum Authentication: Sendable {
        /// A token, signed with the device's key.
        case sharedAccessKey
        /// The client certificate of the connection.
        case certificate
    }

    /// The hub's host name, `….azure-devices.net`.
    public var hub: String
    public var authentication = Authentication.sharedAccessKey
    /// How long a token is good for; a new connection brings a new one before.
    public var tokenLifetime = Duration.seconds(3600)
    /// Messages in one, as a JSON array; with 1 each is an object by itself.
    public var batchSize = 1
    /// What messages from the cloud are published to here.
    public var messagesTopic = "azure/messages"
    /// How long a device may take to answer a command.
    public var commandTimeout = Duration.seconds(30)

    public init(hub: String) { self.hub = hub }
}
