/// What a bridge remembers of its way to the upstream, beside the connection itself.
struct UpstreamState {
    var servers: ServerChoice
    /// The server that accepted the newest connection; nil before the first.
    var acceptedBy: Int?
    /// The bridge has come, and has not said so yet.
    var isBirthDue = false

    /// Servers that did not take a CONNECT with the bridge bit.
    var serversWithoutBridgeBit: Set<Int> = []
    /// The CONNECT of the attempt under way has the bridge bit, and was not accepted yet.
    var isBridgeBitAsked = false
    /// Failures that were logged since the last connection, so that each is said once.
    private var failures: Set<String> = []
    /// What was said of the files, so that it is said once.
    var warnings: [String] = []

    /// Whether a failure was not said since the last connection.
    mutating func isNew(_ failure: UpstreamFailure) -> Bool { failures.count < 16 && failures.insert(failure.description).inserted }

    mutating func forgetFailures() { failures.removeAll() }

    init(_ configuration: BridgeConfiguration) { servers = ServerChoice(count: configuration.servers.count) }
}
