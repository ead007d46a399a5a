import Broker
import Core
import Logging
import MQTTCodec
import Rules

/// A rule at work: sees each message of its filters while it is being published, and publishes its result within the same
/// publish, so that what follows from an acknowledged message is as durable as the message.
final class RuleClient: Client {
    let rule: CompiledRule
    private let broker: Broker
    private let logger: Logger
    private var context = EvaluationContext()
    private var result: [UInt8] = []
    private var resultTopic: [UInt8] = []
    private(set) var matched: UInt64 = 0
    private(set) var failed: UInt64 = 0

    var name: String { rule.name }

    init(_ rule: CompiledRule, broker: Broker, logger: Logger) {
        self.rule = rule
        self.broker = broker
        self.logger = logger
        super.init(takesInline: true)
    }

    /// Subscribes to the rule's filters. Its own results do not come back to it.
    func start(now: MonotonicTime, wall: Timestamp) {
        broker.attach(self, identifier: "$martlet/rule/\(name)")
        for filter in rule.program.filters {
            broker.subscribe(
                self, filter: filter,
                options: SubscriptionOptions(qos: .exactlyOnce, noLocal: true, retainHandling: .doNotSend), now: now,
                wall: wall)
        }
    }

    /// Leaves the broker.
    func stop(now: MonotonicTime, wall: Timestamp) { broker.connectionLost(self, now: now, wall: wall) }

    override func receive(_ message: Message, qos: QoS, retain: Bool) {
        message.withTopic { topicBytes in
            message.withPayload { payload in
                context.load(topic: topicBytes, payload: payload, publishedAt: message.publishedAt)
                switch rule.program.evaluate(&context, output: &result) {
                case .noMatch: break
                case .matched: publishResult(of: message)
                case .failed(let failure): count(failure, topic: message.topic)
                }
                context.unload()
            }
        }
    }

    private func publishResult(of message: Message) {
        matched &+= 1
        guard rule.topic.expand(&context, into: &resultTopic) else {
            failed &+= 1
            if failed.isPowerOfTwo {
                logger.warning(
                    "a result has no valid topic", metadata: ["rule": "\(name)", "topic": "\(rule.topic.text)", "failures": "\(failed)"])
            }
            return
        }
        let published = resultTopic.withUnsafeBytes { resultTopic in
            result.withUnsafeBytes { result in
                Message.create(
                    topic: resultTopic, payload: result, qos: rule.qos, retain: rule.retain,
                    publisher: UInt64(bitPattern: session?.number ?? 0), publishedAt: message.publishedAt)
            }
        }
        broker.generate(published)
    }

    /// Logged when the count reaches a power of two, so that a stream of bad messages does not fill the log.
    private func count(_ failure: Outcome.Failure, topic: String) {
        failed &+= 1
        guard failed.isPowerOfTwo else { return }
        logger.warning(
            "a message could not be evaluated",
            metadata: ["rule": "\(name)", "topic": "\(topic)", "reason": "\(failure)", "failures": "\(failed)"])
    }
}

extension UInt64 {
    fileprivate var isPowerOfTwo: Bool { self != 0 && self & (self - 1) == 0 }
}
