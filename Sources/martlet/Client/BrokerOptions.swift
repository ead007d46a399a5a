import ArgumentParser
import MQTTClient
import MQTTCodec
import NIOCore

/// Where the broker is and who asks: what the clients' commands have in common.
struct BrokerOptions: ParsableArguments {
    @Option(name: [.customShort("h"), .long], help: "The broker's name or address.")
    var host: String?

    @Option(name: [.customShort("p"), .long], help: "Its port (default: 1883; 8883 with TLS, 80 and 443 with WebSocket).")
    var port: Int?

    @Option(
        name: [.customShort("L"), .long],
        help: """
            The broker as mqtt://, mqtts://, ws:// or wss:// [USER[:PASSWORD]@]HOST[:PORT][/PATH]. Of mqtt and mqtts the path \
            is the topic, of ws and wss that of the WebSocket.
            """)
    var url: String?

    @Option(name: .customLong("unix"), help: "The path of the broker's Unix socket.")
    var unixSocket: String?

    @Flag(name: .customLong("ws"), help: "MQTT in a WebSocket.")
    var usesWebSocket = false

    @Option(name: .customLong("ws-path"), help: "The path of the WebSocket (default: /mqtt).")
    var webSocketPath: String?

    @Option(
        name: [.customShort("V"), .customLong("protocol-version")],
        help: "The version of MQTT: 3.1, 3.1.1 or 5 (also as mqttv31, mqttv311, mqttv5).")
    var version: MQTTVersion?

    @Option(name: [.customShort("u"), .long], help: "The user name.")
    var username: String?

    @Option(
        name: [.customShort("P"), .customLong("pw")], parsing: .unconditional,
        help: """
            The password. Everybody on this machine can read it in the list of processes: --password-file or the environment \
            variable MARTLET_PASSWORD are safer.
            """)
    var password: String?

    @Option(help: "A file with the password; a newline at its end does not belong to it.")
    var passwordFile: String?

    @OptionGroup
    var tls: TLSOptions

    @Option(help: "Seconds to wait for the connection and for its acceptance.")
    var connectTimeout = 10

    mutating func validate() throws {
        guard (1...3600).contains(connectTimeout) else { throw ValidationError("--connect-timeout is 1…3600") }
        if let port, !(1...65_535).contains(port) { throw ValidationError("--port is 1…65535") }
        if url != nil, host != nil || port != nil || unixSocket != nil || usesWebSocket {
            throw ValidationError("--url says what --host, --port, --unix and --ws say: give one of them")
        }
        if unixSocket != nil, host != nil || port != nil { throw ValidationError("--unix takes no --host and no --port") }
        if password != nil, passwordFile != nil { throw ValidationError("give --pw or --password-file, not both") }
        if let url, BrokerURL(url) == nil {
            throw ValidationError("--url is mqtt://, mqtts://, ws:// or wss://[USER[:PASSWORD]@]HOST[:PORT][/PATH]")
        }
    }
}

/// A version of MQTT as the commands name it.
struct MQTTVersion: ExpressibleByArgument {
    var version: ProtocolVersion

    init?(argument: String) {
        switch argument {
        case "3.1", "31", "mqttv31": version = .v31
        case "3.1.1", "311", "mqttv311": version = .v311
        case "5", "5.0", "mqttv5": version = .v5
        default: return nil
        }
    }
}
