public import Core
public import MQTTCodec
import Payload
public import Store

// What the upstream expects beside MQTT: how posts are called and written there, who logs in, what is said at birth and at
// death, and what its commands look like. The bridge knows none of it; it asks a form.
//
//     cache ──> batch ──────────> PUBLISH           one or more for a run of messages; its PUBACK acknowledges the run
//                                                    to the cache
//     CONNECT <── prepare                            identifier, user, password, will
//     connected, subscribed, tick ──> effects        births, logins, what is due
//     PUBLISH from upstream ──> received ──> effects a command into the local broker, an answer to the upstream
//     answer of a local device ──> local ──> effects the answer to the upstream
//
// A form is a state machine without I/O or clock: time is an argument, and what it wants done is what it returns.

/// A PUBLISH that a form has made.
public struct FormPublish: Sendable, Equatable {
    public var topic: [UInt8]
    public var payload: [UInt8]
    /// Encoded MQTT 5.0 properties, without their length; left out with 3.1.1.
    public var properties: [UInt8] = []
    public var qos: QoS
    public var retain: Bool

    public init(topic: [UInt8], payload: [UInt8], qos: QoS = .atLeastOnce, retain: Bool = false) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
    }

    public init(topic: String, payload: [UInt8], qos: QoS = .atLeastOnce, retain: Bool = false) {
        self.init(topic: Array(topic.utf8), payload: payload, qos: qos, retain: retain)
    }
}

/// A message of the cache whose turn it is.
public struct FormInput: Sendable {
    /// As it was published here: the local topic.
    public var message: Message
    /// It has waited for a connection: it is history upstream, not news.
    public var isBackfill: Bool
    /// Its number in its route; rises by 1 with every message, over restarts too.
    public var sequence: Int64
    /// Its time is wrong by nobody knows how much: the clock had not been set.
    public var isTimeUncertain: Bool

    public init(message: Message, isBackfill: Bool, sequence: Int64, isTimeUncertain: Bool = false) {
        self.message = message
        self.isBackfill = isBackfill
        self.sequence = sequence
        self.isTimeUncertain = isTimeUncertain
    }

    /// Whether a time that the message tells is uncertain; one by a device's own clock is not.
    func isUncertain(_ time: Timestamp) -> Bool {
        isTimeUncertain && MeasurepointTime.isOfBox(time, publishedAt: message.publishedAt)
    }
}

/// What a form has made of the first ``count`` messages that it was offered.
public struct FormBatch: Sendable, Equatable {
    /// In the order in which they are to be sent. The last one carries the messages: they leave the cache when it is
    /// acknowledged. Empty if the messages have no place upstream; they are counted and left out.
    public var publishes: [FormPublish]
    /// At least 1.
    public var count: Int

    public init(publishes: [FormPublish], count: Int) {
        self.publishes = publishes
        self.count = count
    }
}

/// What a form wants done.
public enum FormEffect: Sendable, Equatable {
    /// To be sent now, beside the cache: it is of no use later.
    case publishUpstream(FormPublish)
    /// To be published in the local broker.
    case publishLocal(FormPublish)
    /// To be subscribed to upstream on this connection, beside ``UpstreamForm/subscriptions``: what may be asked for only
    /// after a login.
    case subscribe([SubscribePacket.Request])
    /// The connection is to be made anew; the text says why.
    case reconnect(String)
    /// To be kept where ``UpstreamForm/kept`` comes from. What became of it is told to ``UpstreamForm/keptOnDisk(_:now:)``.
    case keep([UInt8])
    /// Something that the log should say: an upstream that refuses what it is sent, a command that nobody answered.
    case warn(String)
}

/// What a form has the box keep over restarts; the raw value is how its file ends.
public enum FormKept: String, Sendable {
    /// Given by the upstream: without it there is no connection.
    case secret
    /// The form's own. One that cannot be read is as good as none.
    case state
}

/// A point of a device that the configuration knows.
public struct FormPoint: Sendable, Equatable {
    public var identifier: String
    public var type: ValueType
    public var unit: String?
    public var isWritable: Bool

    public enum ValueType: Sendable, Equatable {
        case boolean
        /// Bits, 8…64.
        case signed(Int)
        case unsigned(Int)
        case float
        case double
        case string
    }

    public init(identifier: String, type: ValueType, unit: String? = nil, isWritable: Bool = false) {
        self.identifier = identifier
        self.type = type
        self.unit = unit
        self.isWritable = isWritable
    }
}

/// A device that the configuration knows.
public struct FormDevice: Sendable, Equatable {
    public var product: String
    public var key: String
    public var points: [FormPoint]

    public init(product: String, key: String, points: [FormPoint]) {
        self.product = product
        self.key = key
        self.points = points
    }
}

/// What an upstream expects beside MQTT. On its own it is one that expects nothing; subclasses know better.
///
/// Belongs to the bridge's event loop.
open class UpstreamForm {
    public init() {}

    /// Topic of what the box itself reports of losses, a JSON object that goes up in its turn like any other message; nil for
    /// nothing.
    public var reportTopic: String?

    // MARK: The connection

    /// What the form has the box keep for it; nil for nothing.
    open var keeps: FormKept? { nil }

    /// What was kept last, up to date before each ``keepBeforeConnect()`` and ``prepare(_:secret:now:)``; nil if there is nothing.
    public var kept: [UInt8]?

    /// What has to be on disk before the next CONNECT is sent; nil if nothing has to be.
    open func keepBeforeConnect() -> [UInt8]? { nil }

    /// What ``FormEffect/keep(_:)`` holds is on disk, or not.
    ///
    /// - Parameter failure: why not, in words.
    open func keptOnDisk(_ failure: String?, now: Moment) -> [FormEffect] { [] }

    /// Fills what the form knows better than the configuration into a CONNECT: client identifier, user, password, will.
    ///
    /// - Parameter secret: the content of the secret's file, if there is one.
    /// - Throws: what keeps it from making one, in words.
    open func prepare(_ packet: inout ConnectPacket, secret: [UInt8]?, now: Moment) throws(FormError) {}

    /// The CONNECT that was prepared last has been sent. Whether the upstream has read it is known only when it answers.
    open func connectSent() {}

    /// What is subscribed to upstream, beside the bridge's own routes.
    open var subscriptions: [SubscribePacket.Request] { [] }

    /// CONNECT was accepted.
    open func connected(sessionPresent: Bool, now: Moment) -> [FormEffect] { [] }

    /// The upstream has taken the subscriptions.
    open func subscribed(now: Moment) -> [FormEffect] { [] }

    /// The connection is gone; what was asked of the upstream will not be answered.
    open func disconnected() {}

    /// Said before a DISCONNECT of ours.
    open func farewell(now: Moment) -> [FormPublish] { [] }

    /// To be called about once a second, connected or not.
    open func tick(now: Moment) -> [FormEffect] { [] }

    // MARK: Up

    /// Makes something of the first messages of a run, which all are, or all are not, back-fill.
    ///
    /// - Parameters:
    ///   - messages: never empty; those behind the first may be taken along.
    ///   - maximumBytes: of a PUBLISH; one message may exceed it, and is then refused by the connection.
    /// - Returns: nil while nothing can be sent: births or logins are outstanding, the host is away.
    open func batch(_ messages: [FormInput], maximumBytes: Int, now: Moment) -> FormBatch? {
        messages[0].message.withParts { topic, properties, payload in
            var publish = FormPublish(topic: Array(topic), payload: Array(payload), qos: messages[0].message.qos)
            publish.properties = Array(properties)
            return FormBatch(publishes: [publish], count: 1)
        }
    }

    // MARK: Down

    /// A message from the upstream.
    ///
    /// - Returns: nil if it is none of the form's: then the bridge's own routes have it.
    open func received(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, now: Moment
    ) -> [FormEffect]? { nil }

    /// Local topics that are for ``local(_:now:)``: the answers of devices to commands.
    open var localFilters: [TopicFilter] { [] }

    /// A local message that matches ``localFilters``.
    open func local(_ message: Message, now: Moment) -> [FormEffect] { [] }
}

/// Why a form cannot go on.
public struct FormError: Error, Sendable, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
