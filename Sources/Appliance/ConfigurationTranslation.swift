import Bridge
import Broker
import Configuration
import Core
import FieldBus
import MQTTCodec
import MQTTServer
import Rules
import Store

// From what the configuration file says to what each part takes. What only a part itself can check (the SQL of a rule, a
// topic template) is checked here, and reported at its place in the file.

extension MartletConfiguration {
    var brokerLimits: BrokerLimits {
        var limits = BrokerLimits()
        limits.maximumPacketSize = broker.maxPacketSize
        limits.maximumConnections = broker.maxConnections
        limits.maximumInFlight = broker.maxInflight
        limits.maximumQueuedMessages = broker.maxQueuedMessages
        limits.maximumQueuedBytes = broker.maxQueuedBytes
        limits.maximumSessionExpiryInterval = UInt32(clamping: broker.maxSessionExpiry.wholeMilliseconds / 1000)
        limits.maximumKeepAlive = UInt16(clamping: (broker.maxKeepAlive ?? .zero).wholeMilliseconds / 1000)
        limits.maximumRetainedMessages = broker.maxRetainedMessages
        limits.maximumSubscriptions = broker.maxSubscriptions
        limits.maximumSessions = broker.maxSessions
        limits.maximumOutboxBytes = broker.maxOutboxBytes
        limits.maximumWaitingBytes = broker.maxWaitingBytes
        limits.topicAliasMaximum = UInt16(clamping: broker.maxTopicAliases)
        limits.outboundTopicAliasMaximum = UInt16(clamping: broker.maxOutboundTopicAliases)
        limits.maximumRetainedBytes = broker.maxRetainedBytes
        limits.maximumTopicLevels = broker.maxTopicLevels
        limits.whenDiskFull = broker.whenDiskFull == .refuse ? .refuse : .hold
        limits.receiveMaximum = UInt16(clamping: broker.receiveMaximum)
        limits.maximumQoS = broker.maxQoS
        limits.retainAvailable = broker.retainAvailable
        limits.wildcardSubscriptionAvailable = broker.wildcardSubscriptionAvailable
        limits.subscriptionIdentifierAvailable = broker.subscriptionIdentifierAvailable
        limits.checksPayloadFormat = broker.checkPayloadFormat
        limits.responseTopicPrefix = broker.responseTopicPrefix
        limits.redirection = broker.redirection
        return limits
    }

    /// nil for no `$SYS` topics.
    var systemTopicsInterval: Duration? { broker.sysInterval == .zero ? nil : broker.sysInterval }

    /// - Parameter maximumBytes: what `size` in `[cache]` comes to (``CacheSize``).
    func cacheLimits(maximumBytes: Int64) -> CacheLimits {
        var routes: [String: RoutePolicy] = [:]
        for bridge in bridges {
            for route in bridge.cacheRoutes {
                routes["\(RouteName(bridge: bridge.name, priority: route.priority))"] = RoutePolicy(
                    priority: route.priority, whenFull: .init(route.whenFull ?? cache.whenFull),
                    maximumBytes: route.maxSize.map(Int64.init), maximumAge: route.maxAge)
            }
        }
        return CacheLimits(
            maximumBytes: maximumBytes, maximumAge: cache.maxAge, routes: routes,
            defaultPolicy: RoutePolicy(whenFull: .init(cache.whenFull)),
            compression: cache.compression == .zstd ? .zstd : .none)
    }
}

extension RoutePolicy.WhenFull {
    fileprivate init(_ policy: MartletConfiguration.WhenFull) {
        switch policy {
        case .dropOldest: self = .dropOldest
        case .dropNewest: self = .dropNewest
        case .refuse: self = .refuse
        case .thin: self = .thin
        }
    }
}

extension MartletConfiguration.Broker {
    fileprivate var redirection: Redirection? {
        guard let serverReference else { return nil }
        let occasion: Redirection.Occasion =
            switch redirect {
            case .atShutdown: .shutdown
            case .useAnotherServer: .always
            case .serverMoved: .moved
            }
        return Redirection(serverReference: serverReference, occasion: occasion)
    }
}

/// A rule, compiled.
struct CompiledRule: Sendable {
    var name: String
    var program: RuleProgram
    var topic: TopicTemplate
    var qos: QoS
    var retain: Bool

    /// Whether both do the same.
    func isSame(as other: CompiledRule) -> Bool {
        name == other.name && program.sql == other.program.sql && topic.text == other.topic.text && qos == other.qos
            && retain == other.retain
    }
}

extension MartletConfiguration {
    /// The rules, compiled; what is wrong with them goes to `errors`.
    func compileRules(_ errors: inout [ConfigurationError]) -> [CompiledRule] {
        rules.compactMap { rule in
            let program = compile(rule.sql, "sql", of: rule, &errors) { sql throws(RuleError) in
                try RuleProgram(sql: sql)
            }
            let topic = compile(rule.topic, "topic", of: rule, &errors) { text throws(RuleError) in
                try TopicTemplate(text)
            }
            guard let program, let topic else { return nil }
            return CompiledRule(name: rule.name, program: program, topic: topic, qos: rule.qos, retain: rule.retain)
        }
    }

    private func compile<Compiled>(
        _ text: String, _ key: String, of rule: Rule, _ errors: inout [ConfigurationError],
        _ compiler: (String) throws(RuleError) -> Compiled
    ) -> Compiled? {
        // A key that was refused has no text that could be compiled.
        guard rule.source.isSound(key) else { return nil }
        do throws(RuleError) {
            return try compiler(text)
        } catch {
            errors.append(error.placed(in: text, at: rule.source[key]))
            return nil
        }
    }

    /// The buses with the devices on them, each with its driver.
    func busDescriptions(board: BoardProfile) -> [(driver: any Driver.Type, description: BusDescription)] {
        buses.compactMap { bus in
            guard let driver = Drivers.driver(bus.protocol) else { return nil }
            let devices = devices.filter { $0.bus == bus.name }.compactMap { device in
                product(key: device.product).map { BusDescription.Device(device: device, product: $0) }
            }
            return (driver, BusDescription(bus: bus, devices: devices, board: board, resolve: resolve))
        }
    }
}

extension RuleError {
    /// The place within a text of the file: one of one line stands behind one quotation mark, one of several lines begins on
    /// the line after its three.
    func placed(in text: String, at start: SourcePosition) -> ConfigurationError {
        var position = start
        if text.contains("\n") {
            position.line += line
            position.column = column
        } else {
            position.column += column
        }
        return ConfigurationError(position, message)
    }
}

extension ConfigurationError {
    /// What `body` makes, or nil and its error at a place of the file.
    static func collect<Value, Failure: Error & CustomStringConvertible>(
        _ errors: inout [ConfigurationError], at position: SourcePosition, _ body: () throws(Failure) -> Value
    ) -> Value? {
        do throws(Failure) {
            return try body()
        } catch {
            errors.append(ConfigurationError(position, error.description))
            return nil
        }
    }
}
