public import Core
import MQTTCodec
import Store

extension Broker {
    /// What is due by time: keep-alive, delayed wills, session expiry, expired retained messages. To be called about once a
    /// second.
    ///
    /// - Returns: the clients that have been silent too long; they are closed, and the server drops their connections.
    @discardableResult
    public func tick(now: MonotonicTime, wall: Timestamp) -> [Client] {
        noteTime(now, wall)
        var silent: [Client] = []
        var ended: [Session] = []
        for session in sessions.values where session.quietUntil <= now {
            // [MQTT-4.1.0-1] as long as there is a connection, [MQTT-4.1.0-2] and no longer than the interval after it.
            if let client = session.client {
                if session.silentAt <= now { silent.append(client) }
                // What had no room in memory or on disk may have some now.
                if !session.feeds.isEmpty { feed(session, now: now, wall: wall) }
                session.quietUntil = session.nextLook
                continue
            }
            if let due = session.willDue, due.at <= now { publishDueWill(of: session, now: now, wall: wall) }
            if session.expiresAt <= now { ended.append(session) }
            session.quietUntil = session.nextLook
        }
        // [MQTT-3.1.2-22] no packet within one and a half times the keep-alive: the connection ends.
        for client in silent { close(client, reason: .keepAliveTimeout, now: now, wall: wall) }
        for session in ended {
            publishDueWill(of: session, now: now, wall: wall)
            statistics.expiredSessions &+= 1
            end(session, now: now, wall: wall)
        }
        for message in retained.expired(now: now) {
            _ = message.withTopic { retained.remove($0) }
            operations.append(.deleteRetained(topic: message.topic))
        }
        if !held.isEmpty { letGo(now: now) }
        reportDrops()
        return silent
    }

    /// For what follows from an acknowledgement, which comes without the wall clock's time.
    func noteTime(_ now: MonotonicTime, _ wall: Timestamp) { moment = Moment(wall: wall, monotonic: now) }

    func wallTime(at now: MonotonicTime) -> Timestamp { moment.wallTime(of: now) ?? moment.wall }
}
