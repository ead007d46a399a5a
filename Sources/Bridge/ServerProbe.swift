import MQTTClient
import MQTTCodec

/// Connects to a server and leaves it as soon as it has answered CONNECT: whether the bridge could be there.
final class ServerProbe: ClientConnection {
    /// Told once, with nil if the server accepted.
    private var completion: ((UpstreamFailure?) -> Void)?

    /// - Parameters:
    ///   - configuration: of the bridge, whose session is left alone.
    ///   - password: goes with its user name.
    ///   - completion: called when it is known, unless the channel could not be opened.
    init(_ configuration: BridgeConfiguration, password: [UInt8]?, completion: @escaping (UpstreamFailure?) -> Void) {
        self.completion = completion
        let packet = ConnectPacket(
            version: configuration.version, clientIdentifier: configuration.clientIdentifier + "-probe", cleanStart: true,
            keepAlive: configuration.keepAlive, userName: configuration.userName, password: password)
        super.init(packet: packet, answerTimeout: configuration.connectTimeout)
    }

    override func connected(_ packet: ConnackPacket) {
        let completion = completion
        self.completion = nil
        disconnect()
        completion?(packet.properties.maximumQoS == 0 ? .qosNotSupported : nil)
    }

    override func ended(_ failure: ConnectionFailure) {
        let failure = UpstreamFailure.connection(failure)
        completion?(version == .v5 ? failure.ofVersion5 : failure)
        completion = nil
    }
}
