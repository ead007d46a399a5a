import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

/// How fast a client may publish.
extension MQTTConnection {
    /// The shortest time for which reading stops: a pause for each message would cost more than the message.
    private static let shortestPause = Duration.milliseconds(20)
    /// The longest time for which nothing is read from a client that has no Keep Alive.
    private static let longestPause = Duration.seconds(60)

    /// A PUBLISH has come.
    ///
    /// - Returns: false if the connection ends by it.
    func isWithin(_ meter: PublishMeter, bytes: Int, now: MonotonicTime, wall: Timestamp) -> Bool {
        let pause = meter.count(bytes: bytes, now: now)
        guard pause > .zero else { return true }
        guard meter.policy == .slowDown else {
            log(.notice, "closed a connection that publishes faster than it may")
            shared.broker.close(self, reason: .messageRateTooHigh, now: now, wall: wall)
            return false
        }
        // A PINGREQ behind what is held is answered in time; the rest of the debt counts for the next message.
        let longest = keepAliveInterval.map { $0 / 2 } ?? MQTTConnection.longestPause
        let time = min(max(pause, MQTTConnection.shortestPause), longest)
        self.pause(.rate)
        // Its keep-alive counts from when it is heard again.
        touch(at: now + time)
        let bound = NIOLoopBound(self, eventLoop: shared.eventLoop)
        shared.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) {
            guard case .connected = bound.value.phase else { return }
            bound.value.resume(.rate)
        }
        return true
    }
}
