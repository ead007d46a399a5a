import Core
import Logging
import MQTTClient
import MQTTCodec
import NIOCore

// Several servers: which one, and the way back to the first.

extension Bridge {
    /// The server to connect to, or to be at.
    var server: ClientTransport { configuration.servers[upstream.servers.current] }

    /// After a connection that failed or ended: the next server at once, or the wait.
    func reconnect(after failure: UpstreamFailure, now: MonotonicTime) {
        if failure == .returning {
            upstream.servers.startOver()
        } else if !upstream.servers.failed(wasGood: reconnection.isProven(now: now)) {
            return reconnection.failed(now: now)
        }
        reconnection.retry(now: now)
        connect()
    }

    /// A server that does not know the bridge bit refuses the protocol's version, or ends the connection: it is asked once
    /// more without.
    ///
    /// - Returns: whether that attempt has begun.
    func triesWithoutBridgeBit(after failure: UpstreamFailure) -> Bool {
        guard upstream.isBridgeBitAsked else { return false }
        switch failure {
        case .connection(.refused(.unsupportedProtocolVersion, _)), .connection(.lost): break
        default: return false
        }
        upstream.isBridgeBitAsked = false
        upstream.serversWithoutBridgeBit.insert(upstream.servers.current)
        logger.info("the server does not know bridges; its own messages may come back", metadata: ["server": "\(server.place)"])
        reconnection.retry(now: environment.monotonicTime())
        connect()
        return true
    }

    /// Looks whether the first server answers again, if it is time to, and goes back to it if it does.
    ///
    /// Only its port is tried, so that the connection that there is stays until then.
    func probeFirst(now: MonotonicTime) {
        guard reconnection.state.isConnected,
            upstream.servers.shouldProbe(now: now, returnToFirst: configuration.returnToFirst)
        else { return }
        let attempt = attempt
        openProbe(configuration.servers[0]).assumeIsolated().whenSuccess {
            guard attempt == self.attempt, let connection = self.connection, connection.isUp else { return }
            self.logger.notice("the first server answers again", metadata: ["server": "\(self.configuration.servers[0].place)"])
            self.sayGoodbye()
            connection.sendDisconnect(.success)
            connection.close(UpstreamFailure.returning)
        }
    }
}

extension ClientTransport {
    /// For logs: `broker.example.com:8883`.
    var place: String { host.contains(":") ? "[\(host)]:\(usedPort)" : "\(host):\(usedPort)" }
}
