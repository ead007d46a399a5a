import Broker
import Core
import Logging
import MQTTCodec
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Appliance
@testable import Store

@Suite("Turns and commits")
struct BrokerLoopTests {
    private let eventLoop = EmbeddedEventLoop()
    private let broker = Broker(limits: BrokerLimits(), seed: 1)
    private let disk = Disk()
    private let log = RecordedLog()
    private let loop: BrokerLoop

    /// What has been given to the store.
    private final class Disk {
        var batches: [BrokerLoop.PendingCommit] = []

        /// The topics retained by the newest batch.
        var topics: [String] {
            batches.last?.batch.operations.compactMap { operation in
                if case .putRetained(let message, _) = operation { message.topic } else { nil }
            } ?? []
        }
    }

    init() {
        let (disk, log) = (disk, log)
        loop = BrokerLoop(
            eventLoop: eventLoop, broker: broker, commitInterval: .milliseconds(200),
            logger: Logger(label: "store") { _ in log.handler }, store: { disk.batches.append($0) })
    }

    /// Something to store for which nobody waits.
    private func retain(_ topic: String) {
        let wall = Timestamp(milliseconds: 0)
        broker.publish(
            Message.create(topic: topic, payload: [1], qos: .atMostOnce, retain: true, publishedAt: wall), now: .zero, wall: wall)
        loop.scheduleTurn()
        eventLoop.run()
    }

    private func connect() -> Subscriber {
        let client = Subscriber()
        broker.connect(
            client, packet: ConnectPacket(version: .v5, clientIdentifier: "c", cleanStart: true, keepAlive: 0), now: .zero,
            wall: Timestamp(milliseconds: 0))
        return client
    }

    /// Something to store whose acknowledgement waits for it.
    private func publish(_ client: Subscriber, _ topic: String, _ packetIdentifier: UInt16) {
        [UInt8](topic.utf8).withUnsafeBytes { topic in
            broker.publish(
                Broker.Publish(
                    topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: topic, qos: .atLeastOnce,
                    retain: true, packetIdentifier: packetIdentifier, messageExpiryInterval: nil),
                from: client, now: .zero, wall: Timestamp(milliseconds: 0))
        }
        loop.scheduleTurn()
        eventLoop.run()
    }

    private func done() {
        loop.commitDone(CommitReport(cache: CacheReport(), lanes: [], cacheDuration: .zero, sessionsDuration: .zero))
        eventLoop.run()
    }

    private func fail(_ message: String = "no space") {
        loop.commitFailed(.full(message: message), replaced: [])
        eventLoop.run()
    }

    private func pass(milliseconds: Int64) { eventLoop.advanceTime(by: .milliseconds(milliseconds)) }

    @Test("however often a turn is asked for, it ends once")
    func coalesced() {
        let client = connect()
        for _ in 0..<5 {
            broker.ping(from: client)
            loop.scheduleTurn()
        }
        #expect(client.flushes == 0)
        eventLoop.run()
        #expect(client.flushes == 1)
        loop.scheduleTurn()
        eventLoop.run()
        #expect(client.flushes == 1)
    }

    @Test("what nobody waits for is stored after the commit interval, all of it at once")
    func later() {
        retain("a")
        pass(milliseconds: 150)
        retain("b")
        #expect(disk.batches.isEmpty)
        #expect(!loop.isIdle)
        pass(milliseconds: 49)
        #expect(disk.batches.isEmpty)
        pass(milliseconds: 1)
        #expect(disk.batches.count == 1)
        #expect(disk.topics == ["a", "b"])
        done()
        #expect(loop.isIdle)
        pass(milliseconds: 1000)
        #expect(disk.batches.count == 1)
    }

    @Test("an acknowledgement that waits has its batch stored at once, and goes out then")
    func atOnce() {
        retain("a")
        let client = connect()
        publish(client, "b", 7)
        #expect(disk.batches.count == 1)
        #expect(disk.topics == ["a", "b"])
        #expect(client.acknowledged == [])
        done()
        #expect(client.acknowledged == [7])
        // The interval of what came first has nothing left to do.
        pass(milliseconds: 1000)
        #expect(disk.batches.count == 1)
    }

    @Test("one batch is under way at a time, and the next one fills meanwhile")
    func oneAtATime() {
        let client = connect()
        publish(client, "a", 1)
        publish(client, "b", 2)
        publish(client, "c", 3)
        pass(milliseconds: 1000)
        #expect(disk.batches.count == 1)
        #expect(disk.topics == ["a"])
        done()
        #expect(client.acknowledged == [1])
        #expect(disk.batches.count == 2)
        #expect(disk.topics == ["b", "c"])
        done()
        #expect(client.acknowledged == [1, 2, 3])
        #expect(loop.isIdle)
    }

    @Test("a batch that could not be stored is given again after a second, with what has come since")
    func again() {
        broker.limits.whenDiskFull = .hold
        let client = connect()
        publish(client, "a", 1)
        fail()
        publish(client, "b", 2)
        pass(milliseconds: 999)
        #expect(disk.batches.count == 1)
        #expect(client.acknowledged == [])
        pass(milliseconds: 1)
        #expect(disk.batches.count == 2)
        #expect(disk.topics == ["a", "b"])
        #expect(client.acknowledged == [])
        done()
        #expect(client.acknowledged == [1, 2])
        #expect(loop.isIdle)
    }

    @Test("the broker knows that the disk is full until a commit has succeeded")
    func full() {
        let client = connect()
        publish(client, "a", 1)
        #expect(!broker.isDiskFull)
        fail()
        #expect(broker.isDiskFull)
        publish(client, "b", 2)
        // Both are refused at once.
        #expect(client.acknowledged == [1, 2])
        pass(milliseconds: 1000)
        loop.commitFailed(.failed(code: .ioError, message: "bad sector", sql: ""), replaced: [])
        #expect(!broker.isDiskFull)
        pass(milliseconds: 1000)
        fail()
        pass(milliseconds: 1000)
        done()
        #expect(!broker.isDiskFull)
        publish(client, "b", 3)
        #expect(disk.topics == ["b"])
        #expect(client.acknowledged == [1, 2])
    }

    @Test("a failure is logged when it begins, when it changes and when it ends")
    func logged() {
        retain("a")
        pass(milliseconds: 200)
        for _ in 0..<3 {
            fail()
            pass(milliseconds: 1000)
        }
        #expect(log.lines == ["error cannot store data; it is kept in memory and tried again: no space left: no space"])
        fail("quota")
        pass(milliseconds: 1000)
        done()
        #expect(
            log.lines.dropFirst() == [
                "error cannot store data; it is kept in memory and tried again: no space left: quota",
                "notice the disk takes data again",
            ])
        retain("b")
        pass(milliseconds: 200)
        done()
        #expect(log.lines.count == 3)
    }

    @Test("a damaged sessions file that was replaced gets everything again")
    func replaced() {
        retain("a")
        pass(milliseconds: 200)
        done()
        retain("b")
        pass(milliseconds: 200)
        #expect(disk.topics == ["b"])
        let alarm = StorageAlarm(file: "/data/sessions.db", message: "bad", setAsideAs: "/data/sessions.db.damaged-1")
        loop.commitFailed(.damaged(file: "/data/sessions.db", message: "bad"), replaced: [alarm])
        eventLoop.run()
        pass(milliseconds: 1000)
        #expect(Set(disk.topics) == ["a", "b"])
    }

    @Test("the end does not wait for an interval")
    func now() {
        retain("a")
        loop.commitNow()
        #expect(disk.batches.count == 1)
        #expect(!loop.isIdle)
        done()
        #expect(loop.isIdle)
        loop.commitNow()
        #expect(disk.batches.count == 1)
    }
}

/// Log lines as `level message: error`.
final class RecordedLog: Sendable {
    private let recorded = Mutex<[String]>([])

    var lines: [String] { recorded.withLock { $0 } }
    var handler: any LogHandler { Handler(log: self) }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        init(log: RecordedLog) { self.log = log }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let error = event.metadata?["error"].map { ": \($0)" } ?? ""
            log.recorded.withLock { $0.append("\(event.level) \(event.message)\(error)") }
        }
    }
}
