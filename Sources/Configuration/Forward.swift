public import Core

extension MartletConfiguration.Bridge {
    /// `[[bridge.forward]]`: local topics that go up, and what becomes of their messages while the upstream is away.
    public struct Forward: Route {
        public var filter = ""
        public var removePrefix: String?
        public var prefix: String?
        public var topic: String?
        public var qos = QoS.atLeastOnce
        public var retain = true
        public var sendsRetained = true
        /// 0…9; greater goes first and is kept longer. Forwards of one priority share a route of the cache.
        public var priority = 5
        /// nil: as another forward of the priority says, else as `[cache]` does.
        public var whenFull: MartletConfiguration.WhenFull?
        /// Bytes of the cache for the route; nil as for ``whenFull``, and without any the whole cache, or the share of it that a
        /// route has which never gives up what it has stored.
        public var maxSize: Int?
        /// nil as for ``whenFull``.
        public var maxAge: Duration?
        public package(set) var source = TableSource()

        public init() {}
    }

    /// A route of the cache: all forwards of one priority, with what they say together.
    public struct CacheRoute: Sendable, Equatable {
        public var priority: Int
        /// nil: as `[cache]` says, as ``maxAge``.
        public var whenFull: MartletConfiguration.WhenFull?
        /// In bytes; nil as for ``Forward/maxSize``.
        public var maxSize: Int?
        public var maxAge: Duration?
    }

    /// The routes of the bridge, the most important first.
    public var cacheRoutes: [CacheRoute] {
        Set(forward.map(\.priority)).sorted(by: >).map { priority in
            let members = forward.filter { $0.priority == priority }
            return CacheRoute(
                priority: priority, whenFull: members.lazy.compactMap(\.whenFull).first,
                maxSize: members.lazy.compactMap(\.maxSize).first, maxAge: members.lazy.compactMap(\.maxAge).first
            )
        }
    }

    /// Forwards of one priority must not say different things of their route.
    func checkCacheRoutes(_ findings: inout Findings) {
        for (index, forward) in forward.enumerated() where forward.source.isSound("priority") {
            let earlier = self.forward[..<index].filter { $0.priority == forward.priority && $0.source.isSound("priority") }
            func compare<Value: Equatable>(_ key: String, _ value: (Forward) -> Value?) {
                guard let own = value(forward), let other = earlier.first(where: { value($0) != nil }), value(other) != own
                else { return }
                findings.report(
                    forward.source[key],
                    "\(key) is already another for priority \(forward.priority) at line \(other.source[key].line): forwards of "
                        + "one priority share their place in the cache; give this one a priority of its own"
                )
            }
            compare("when-full", \.whenFull)
            compare("max-size", \.maxSize)
            compare("max-age", \.maxAge)
        }
    }
}

extension MartletConfiguration.Bridge.Forward: ConfigurationTable {
    package static let schema = Schema<Self>("Local topics that go to the upstream broker, and how they wait for it.") {
        topicKeys(
            qos: "The QoS to send with; 2 counts as 1.",
            retain: "Whether the retain flag goes up with a message. With false nothing of this route is retained upstream."
        )
        Key(
            "send-retained", \.sendsRetained, .boolean,
            help: "Whether what is retained here goes up at the start, as long as nothing has ever gone by this route's priority."
        )
        Key(
            "priority", \.priority, .integer(0...9),
            help: "Greater goes first, and makes room last when the cache is full. Forwards of one priority keep their order."
        )
        Key(
            "when-full", \.whenFull, .choice(MartletConfiguration.WhenFull.self), example: .thin,
            help: "In place of the cache's when-full, for this priority."
        )
        Key(
            "max-size", \.maxSize, .size(.kibibytes(64)...(.gibibytes(16_384))), example: .mebibytes(100),
            help: "The part of the cache that this priority may use. When not set: all of it, or with when-full refuse and drop-newest "
                + "the share that leaves room for greater priorities."
        )
        Key(
            "max-age", \.maxAge, .duration(.minutes(1)...(.days(3650))), example: .days(7),
            help: "In place of the cache's max-age, for this priority."
        )
    } check: { route, findings in
        route.checkTopics(route.source, &findings)
    }
}
