import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

/// How fast a client may publish.
extension MQTTConnection {
    /// The shortest time for which reading stops: a pause for each message would cost more than the message.
    private static let shortestPause = Duration.milliseconds(20)

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
        let time = max(pause, MQTTConnection.shortestPause)
        isPaused = true
        // Its keep-alive counts from when it is heard again.
        touch(at: now + time)
        let bound = NIOLoopBound(self, eventLoop: shared.eventLoop)
        shared.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) {
            guard case .connected = bound.value.phase else { return }
            bound.value.resume()
        }
        return true
    }
}
