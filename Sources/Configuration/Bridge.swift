extension MartletConfiguration {
    /// `[[bridge]]`: an upstream MQTT broker.
    public struct Bridge: Sendable, Equatable {
        public enum BridgeProtocol: String, Sendable, CaseIterable {
            case v311 = "3.1.1"
            case v5 = "5.0"
        }

        /// What goes first when the upstream is back after an outage.
        public enum Order: String, Sendable, CaseIterable {
            /// Everything in the order in which it came.
            case strict
            /// What comes now; what waited (the back-fill) beside it, with what the rates leave.
            case liveFirst = "live-first"
        }

        public var name = ""
        public var host = ""
        /// nil for the one that is usual for the transport.
        public var port: Int?
        public var transport = Transport.tcp
        public var websocketPath = "/mqtt"
        public var tls = TLS()
        public var failoverServers: [Server]?
        /// `.zero`: never.
        public var returnToFirst = Duration.minutes(10)
        public var clientIdentifier = ""
        public var userName: String?
        /// As written; see ``MartletConfiguration/resolve(path:)``.
        public var passwordFile: String?
        public var `protocol` = BridgeProtocol.v5
        public var bridgeBit = true
        public var sessionExpiry = Duration.days(7)
        /// `.zero`: none.
        public var keepAlive = Duration.seconds(60)
        public var maxInflight = 100
        public var connectTimeout = Duration.seconds(30)
        public var reconnectInterval = Duration.seconds(1)
        public var maxBackOff = Duration.minutes(2)
        public var order = Order.liveFirst
        /// Messages a second of the back-fill; nil for as fast as the upstream takes them.
        public var backfillRate: Int?
        /// Bytes a second of the back-fill, names and payloads; nil as for ``backfillRate``.
        public var backfillBytesPerSecond: Int?
        /// As ``Route/prefix`` of a route, for back-fill, before the topic that the route gives.
        public var backfillPrefix: String?
        /// As ``Route/topic`` of a route, for back-fill; its levels are those of the topic that the route gives.
        public var backfillTopic: String?
        public var marksBackfill = false
        public var enos: EnOS?
        public var azure: Azure?
        public var aws: AWS?
        public var sparkplug: Sparkplug?
        public var thingsBoard: ThingsBoard?
        /// Local to upstream.
        public var forward: [Forward] = []
        /// Upstream to local.
        public var receive: [Receive] = []
        public var birth: Birth?
        public var will: Will?
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge: ConfigurationTable {
    private static let isV5 = Key<Self>.Condition("protocol", text: "protocol is \"5.0\"") { $0.protocol == .v5 }
    private static let liveFirst = Key<Self>.Condition("order", text: "order is \"live-first\"") { $0.order == .liveFirst }
    private static let isV311 = Key<Self>.Condition("protocol", text: "protocol is \"3.1.1\"") { $0.protocol == .v311 }
    private static let usesWebSocket = Key<Self>.Condition("transport", text: "transport is \"websocket\" or \"wss\"") {
        $0.transport.usesWebSocket
    }
    private static let hasFailover = Key<Self>.Condition("failover-servers", text: "there are failover-servers") {
        $0.failoverServers != nil
    }
    private static let hasUser = Key<Self>.Condition("user-name", text: "there is a user-name") { $0.userName != nil }

    package static let schema = Schema<Self>("An upstream MQTT broker.") {
        Key("name", \.name, .name, .required, help: "The bridge's name in logs, metrics and the cache.")
        Key("host", \.host, .host, .required, help: "Name or address of the upstream broker.")
        Key(
            "port", \.port, .integer(1...65_535), example: 8883,
            help: "TCP port. When not set: 1883, 8883 with tls, 80 with websocket, 443 with wss."
        )
        Key(
            "transport", \.transport, .choice(Transport.self),
            help: "What carries MQTT: TCP, TLS, WebSocket, or WebSocket in TLS. Of TLS there is more in [bridge.tls]."
        )
        Key(
            "websocket-path", \.websocketPath, .urlPath, when: usesWebSocket,
            help: "The path of the URL at which the WebSocket is opened."
        )
        Key(
            "failover-servers", \.failoverServers, .list(of: .server, limit: 16),
            example: [Server(host: "backup.example.com"), Server(host: "192.0.2.1", port: 8883)],
            help: "Further upstream brokers, in the order in which they are tried when host does not answer."
        )
        Key(
            "return-to-first", \.returnToFirst, .duration(.zero...(.days(365))), when: hasFailover,
            help: "How long the bridge stays at one of failover-servers before it looks whether host answers again; \"0s\" for never."
        )
        Key(
            "client-identifier", \.clientIdentifier, .mqttString(bytes: 1...65_535), .required,
            help: "MQTT client identifier; the upstream broker keeps the session by it."
        )
        Key("user-name", \.userName, .mqttString(bytes: 1...65_535), example: "box", help: "MQTT user name.")
        Key(
            "password-file", \.passwordFile, .path, when: hasUser, example: "cloud.password",
            help: "File that holds nothing but the password. Relative to this file's folder."
        )
        RefusedKey(
            "password",
            "password must not be in this file: put it into a file of its own and name that with password-file"
        )
        Key("protocol", \.protocol, .choice(BridgeProtocol.self), help: "MQTT version.")
        Key(
            "bridge-bit", \.bridgeBit, .boolean, when: isV311,
            help: "Whether the upstream broker is told that this is a bridge, so that it sends nothing back; one that does not understand is asked again without."
        )
        Key(
            "session-expiry", \.sessionExpiry, .duration(.zero...(.days(3650))), when: isV5,
            help: "How long the upstream broker keeps the session after the connection."
        )
        Key(
            "keep-alive", \.keepAlive, .duration(.zero...(.seconds(65_535))),
            help: "How long the connection may be silent before it is checked; whole seconds, \"0s\" for never."
        )
        Key(
            "max-inflight", \.maxInflight, .integer(1...65_535), unit: "messages",
            help: "Messages that may wait for the upstream broker's acknowledgement at one time."
        )
        Key(
            "connect-timeout", \.connectTimeout, .duration(.seconds(1)...(.minutes(5))),
            help: "How long a connection may take until its CONNACK."
        )
        Key(
            "reconnect-interval", \.reconnectInterval, .duration(.seconds(1)...(.hours(1))),
            help: "The wait after a lost connection; it doubles with each failure up to max-back-off."
        )
        Key("max-back-off", \.maxBackOff, .duration(.seconds(1)...(.days(1))), help: "The longest such wait.")
        Key(
            "order", \.order, .choice(Order.self),
            help: "What goes first after an outage: what comes now, or strictly what came first."
        )
        Key(
            "backfill-rate", \.backfillRate, .integer(1...1_000_000), unit: "messages a second", when: liveFirst, example: 200,
            help: "The most that is sent of what waited, beside live messages. As fast as the upstream takes it when not set."
        )
        Key(
            "backfill-bytes-per-second", \.backfillBytesPerSecond, .size(.kibibytes(1)...(.gibibytes(4))), when: liveFirst,
            example: .kibibytes(64), help: "The same in bytes of topics and payloads."
        )
        Key(
            "backfill-prefix", \.backfillPrefix, .topicPrefix, when: liveFirst, example: "history",
            help: "What is put before the upstream topic of messages that waited; it ends with / unless the topic begins with one."
        )
        Key(
            "backfill-topic", \.backfillTopic, .topicTemplate, when: liveFirst, example: "history/${topic[2]}",
            help: "The upstream topic of messages that waited, in place of backfill-prefix; ${…} is filled in from their live topic."
        )
        Key(
            "mark-backfill", \.marksBackfill, .boolean,
            help: "Whether messages tell the upstream their time and number, and that they waited, in user properties with MQTT 5.0 or as the bridge's form has it."
        )
        Subtable("tls", \.tls)
        Subtable("birth", \.birth)
        Subtable("will", \.will)
        Subtable("forward", \.forward, limit: 256)
        Subtable("receive", \.receive, limit: 256)
        Subtable("enos", \.enos)
        Subtable("azure", \.azure)
        Subtable("aws", \.aws)
        Subtable("sparkplug", \.sparkplug)
        Subtable("thingsboard", \.thingsBoard)
    } check: { bridge, findings in
        bridge.check(&findings)
    }

    private func check(_ findings: inout Findings) {
        if source.isSound("keep-alive"), keepAlive.components.attoseconds != 0 {
            findings.report(source["keep-alive"], "keep-alive must be whole seconds")
        }
        if source.isSound("reconnect-interval", "max-back-off"), maxBackOff < reconnectInterval {
            findings.report(
                source[source.isSet("max-back-off") ? "max-back-off" : "reconnect-interval"],
                "max-back-off must not be shorter than reconnect-interval"
            )
        }
        if backfillTopic != nil, backfillPrefix != nil {
            findings.report(source["backfill-topic"], "backfill-topic replaces the whole topic: leave out backfill-prefix")
        }
        checkCacheRoutes(&findings)
        checkForms(&findings)
        checkLoops(&findings)
        checkMarks(&findings)
        checkTLS(&findings)
        if forward.isEmpty, receive.isEmpty {
            findings.report(source.position, "[[bridge]] needs at least one [[bridge.forward]] or [[bridge.receive]]")
        }
    }

    static var examples: [Self] {
        [
            .example {
                $0.name = "cloud"
                $0.host = "broker.example.com"
                $0.transport = .tls
                $0.failoverServers = [Server(host: "backup.example.com")]
                $0.clientIdentifier = "box-1"
                $0.userName = "box"
                $0.passwordFile = "cloud.password"
                $0.backfillRate = 200
                $0.backfillBytesPerSecond = .kibibytes(64)
                $0.backfillPrefix = "history"
                $0.tls.caFile = "upstream-ca.pem"
                $0.tls.serverName = "broker.example.com"
                $0.birth = .example {
                    $0.topic = "site/7/state"
                    $0.payload = "online"
                    $0.retain = true
                }
                $0.will = .example {
                    $0.topic = "site/7/state"
                    $0.payload = "offline"
                    $0.retain = true
                }
                $0.forward = [
                    .example {
                        $0.filter = "/sys/#"
                        $0.prefix = "site/7"
                    },
                    .example {
                        $0.filter = "alarms/#"
                        $0.topic = "up/${topic[2]}"
                        $0.priority = 9
                        $0.whenFull = .refuse
                        $0.maxSize = .mebibytes(100)
                        $0.maxAge = .days(365)
                    },
                ]
                $0.receive = [
                    .example {
                        $0.filter = "site/7/sys/+/+/thing/service/#"
                        $0.removePrefix = "site/7"
                    }
                ]
            },
            .example {
                $0.name = "archive"
                $0.host = "archive.example.com"
                $0.clientIdentifier = "box-1"
                $0.backfillTopic = "history/${topic[2]}"
                $0.marksBackfill = true
                $0.forward = [.example { $0.filter = "alarms/#" }]
            },
            .example {
                $0.name = "old"
                $0.host = "old.example.com"
                $0.transport = .tls
                $0.clientIdentifier = "box-1"
                $0.protocol = .v311
                $0.tls.pskFile = "old.psk"
                $0.tls.pskIdentity = "box-1"
                $0.forward = [.example { $0.filter = "alarms/#" }]
            },
            EnOS.example, Azure.example, AWS.example, Sparkplug.example, ThingsBoard.example,
        ]
    }
}
