internal import Core

// What a bridge has that can come to nothing.

extension MartletConfiguration {
    /// What bridges say of each other and of the cache.
    func checkBridgesAndCache(_ findings: inout Findings) {
        for (index, bridge) in bridges.enumerated() where bridge.hasOwnIdentifier {
            guard let other = bridges[..<index].first(where: { $0.hasOwnIdentifier && $0.isSameClient(as: bridge) }) else { continue }
            let place = bridge.usesFirst(of: other) ? "at the same host and port" : "at one of the same failover-servers"
            findings.warn(
                bridge.source["client-identifier"],
                "bridge \(other.name.quotedForMessage) has this client-identifier \(place): the upstream ends the one "
                    + "connection when the other comes; give each its own")
        }
        guard cache.source.isSound("size", "max-age") else { return }
        switch cache.size {
        case .auto: break
        case .duration(let duration):
            if duration > cache.maxAge {
                findings.warn(
                    cache.source["size"],
                    "max-age is shorter than the time that size is for, and older messages are dropped: make max-age longer, or size shorter")
            }
        case .bytes(let bytes):
            for forward in bridges.flatMap(\.forward) where forward.source.isSound("max-size") && forward.maxSize ?? 0 > bytes {
                findings.warn(forward.source["max-size"], "max-size is more than the size of the whole [cache], so it has no effect")
            }
        }
    }
}

extension MartletConfiguration.Bridge {
    /// Whether the client identifier is as it is written here.
    fileprivate var hasOwnIdentifier: Bool { !hasForm && source.isSound("host", "port", "failover-servers", "transport", "client-identifier") }

    fileprivate func isSameClient(as other: Self) -> Bool {
        clientIdentifier == other.clientIdentifier && userName == other.userName && !usedServers.isDisjoint(with: other.usedServers)
    }

    /// Whether both are at one server as long as nothing is wrong.
    fileprivate func usesFirst(of other: Self) -> Bool { host == other.host && usedPort == other.usedPort }

    /// All that it may be connected to, with their ports.
    private var usedServers: Set<Server> {
        let failover = (failoverServers ?? []).map { Server(host: $0.host, port: $0.port ?? usedPort) }
        return Set([Server(host: host, port: usedPort)] + failover)
    }

    private var usedPort: Int {
        if let port { return port }
        return switch transport {
        case .tcp: 1883
        case .tls: 8883
        case .websocket: 80
        case .wss: 443
        }
    }

    func checkMarks(_ findings: inout Findings) {
        guard marksBackfill, self.protocol == .v311, !hasForm, source.isSound("mark-backfill", "protocol") else { return }
        findings.warn(
            source["mark-backfill"], "MQTT 3.1.1 has no user properties, so nothing is marked: set protocol = \"5.0\", or leave out mark-backfill")
    }
}

extension MartletConfiguration.Bridge.Route {
    /// A template that names a level which no topic of the filter has.
    func checkLevels(_ source: TableSource, _ findings: inout Findings) {
        guard let topic, !filter.hasSuffix("#"), source.isSound("topic", "filter") else { return }
        let levels = filter.split(separator: "/", omittingEmptySubsequences: false).count - (filter.hasPrefix("/") ? 1 : 0)
        for part in topic.split(separator: "${topic[").dropFirst(topic.hasPrefix("${topic[") ? 0 : 1) {
            guard let number = part.split(separator: "]").first.flatMap({ Int($0) }), number.magnitude > levels else { continue }
            findings.warn(
                source["topic"],
                "topics of filter \(filter.quotedForMessage) have \(levels) level\(levels == 1 ? "" : "s"), so there is no ${topic[\(number)]} and "
                    + "no message of the route crosses the bridge")
            return
        }
    }
}
