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

    /// Looks whether the first server answers again, if it is time to, and goes back to it if it does. The connection that
    /// there is stays until then.
    ///
    /// The first server has to accept a whole CONNECT, under another client identifier: that of the bridge would end its
    /// connection where the servers share sessions. A form makes its CONNECT for one identity, and once per connection, so
    /// with one only the port is tried.
    func probeFirst(now: MonotonicTime) {
        guard reconnection.state.isConnected, probe == nil,
            upstream.servers.shouldProbe(now: now, returnToFirst: configuration.returnToFirst)
        else { return }
        let attempt = attempt
        let first = configuration.servers[0]
        guard form == nil else {
            return openProbe(first).assumeIsolated().whenSuccess { self.returnToFirst(from: attempt) }
        }
        UpstreamBootstrap.prepare(configuration, server: first, eventLoop: eventLoop).assumeIsolated().whenComplete { result in
            guard attempt == self.attempt, !self.isStopped else { return }
            switch result {
            case .success(let ready): self.probe(ready, attempt: attempt)
            case .failure(let error):
                self.staysAway(error as? UpstreamFailure ?? .connection(.unreachable(ClientEndpoint.text(error))))
            }
        }
    }

    private func probe(_ ready: UpstreamBootstrap.Ready, attempt: UInt64) {
        guard self.probe == nil else { return }
        let probe = ServerProbe(configuration, password: ready.password) { failure in
            self.probe = nil
            if let failure { self.staysAway(failure) } else { self.returnToFirst(from: attempt) }
        }
        self.probe = probe
        openChannel(probe, ready.endpoint).assumeIsolated().whenFailure { error in
            guard self.probe === probe else { return }
            self.probe = nil
            self.staysAway(.connection(.unreachable(ClientEndpoint.text(error))))
        }
    }

    /// The first server is not fit yet. Each reason is said once.
    private func staysAway(_ failure: UpstreamFailure) {
        guard !isStopped else { return }
        logger.log(
            level: upstream.isNew(failure) ? .notice : .debug, "the first server does not take a connection yet",
            metadata: ["server": "\(configuration.servers[0].place)", "error": "\(failure)"])
    }

    /// - Parameter attempt: the one whose connection is left.
    private func returnToFirst(from attempt: UInt64) {
        guard attempt == self.attempt, let connection, connection.isUp else { return }
        logger.notice("the first server answers again", metadata: ["server": "\(configuration.servers[0].place)"])
        sayGoodbye()
        connection.sendDisconnect(.success)
        connection.close(UpstreamFailure.returning)
    }
}

extension ClientTransport {
    /// For logs: `broker.example.com:8883`.
    var place: String { host.contains(":") ? "[\(host)]:\(usedPort)" : "\(host):\(usedPort)" }
}
