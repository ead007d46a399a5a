import Broker
import Core
import Logging
import NIOCore
import NIOEmbedded
import Synchronization

@testable import MQTTServer

/// A broker and its server on an event loop that only runs when it is told to.
final class ServerHarness {
    let loop = EmbeddedEventLoop()
    let broker: Broker
    let context: ServerContext
    let listener: OpenListener
    private let turn = Turn()
    private let written = WrittenLines()

    /// What the log says at `notice` and above, each line as `message: detail`.
    var log: [String] { written.lines.withLock { $0 } }

    /// Whether somebody has asked for the end of a turn.
    private final class Turn {
        var isDue = false
    }

    init(limits: BrokerLimits = BrokerLimits(), settings: ListenerSettings = ListenerSettings(name: "test")) {
        broker = Broker(limits: limits, seed: 7)
        let written = written
        let logger = Logger(label: "test") { _ in RecordingHandler(written: written) }
        let turn = turn
        context = ServerContext(eventLoop: loop, broker: broker, logger: logger, scheduleTurn: { turn.isDue = true })
        listener = OpenListener(place: .network(address: "192.0.2.2", port: 1883), settings: settings, shared: context)
        context.add(listener)
    }

    /// A client that has opened a connection and sent nothing.
    func open() throws -> Peer {
        let peer = try Peer(self)
        settle()
        return peer
    }

    /// Ends the turn, if anything happened in it; all that is to be stored is on disk afterwards.
    func settle() {
        repeat {
            if turn.isDue {
                turn.isDue = false
                broker.flush()
                while let batch = broker.takeBatch() { broker.committed(batch.number, now: SystemClock.monotonic()) }
                broker.flush()
            }
            loop.run()
        } while turn.isDue
    }

    /// Lets timers of the loop run.
    func pass(seconds: Int64) {
        loop.advanceTime(by: .seconds(seconds))
        settle()
    }

    /// Lets the housekeeping see a time that is yet to come.
    func tick(after duration: Duration) {
        let now = SystemClock.monotonic() + duration
        broker.tick(now: now, wall: SystemClock.wall())
        context.tick(now: now)
        turn.isDue = true
        settle()
    }
}

private final class WrittenLines: Sendable {
    let lines = Mutex<[String]>([])
}

/// Has every line made, and keeps those that an operator sees.
private struct RecordingHandler: LogHandler {
    let written: WrittenLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard event.level >= .notice else { return }
        let detail = (event.metadata?["detail"]).map { ": \($0)" } ?? ""
        written.lines.withLock { $0.append("\(event.message)\(detail)") }
    }
}
