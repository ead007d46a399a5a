internal import Core

extension MartletConfiguration {
    /// `[[access-rule]]`: what some clients may do, or may not.
    public struct AccessRule: Sendable, Equatable {
        public enum Access: String, Sendable, CaseIterable {
            case allow, deny
        }

        public enum Action: String, Sendable, CaseIterable {
            case publish, subscribe, receive
            /// All three.
            case all
        }

        public var access = Access.allow
        public var actions = [Action.all]
        /// nil for any user, and for clients without one; as the other conditions.
        public var user: String?
        public var clientIdentifier: String?
        public var listener: String?
        public var address: AddressRange?
        /// With `%c` and `%u`; nil for any topic.
        public var topic: String?
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.AccessRule: ConfigurationTable {
    package static let schema = Schema<Self>(
        "What clients may do. The first rule decides that fits client, action and topic; without one, default-access."
    ) {
        Key("access", \.access, .choice(Access.self), .required, help: "Whether it is allowed.")
        Key(
            "actions", \.actions, .list(of: .choice(Action.self), limit: 4),
            help: "What the rule is about; what may be subscribed to may be received where no rule of \"receive\" fits."
        )
        Key("user", \.user, .mqttString(bytes: 1...65_535), help: "The user whom the rule is about; anybody when not set.")
        Key(
            "client-identifier", \.clientIdentifier, .mqttString(bytes: 1...65_535),
            help: "The client whom the rule is about; any when not set."
        )
        Key("listener", \.listener, .name, help: "Only for clients of this listener.")
        Key("address", \.address, .addressRange, help: "Only for clients from these addresses.")
        Key(
            "topic", \.topic, .accessTopic,
            help: "A topic filter; %c in it is the client identifier, %u the user name. All topics, those with $ too, when not set."
        )
    }

    static var examples: [Self] {
        [
            .example {
                $0.access = .allow
                $0.actions = [.publish]
                $0.user = "meter-7"
                $0.listener = "local"
                $0.address = AddressRange("10.1.0.0/16")
                $0.topic = "meters/%u/#"
            }
        ]
    }
}

extension ValueType where Value == String {
    /// A topic filter with `%c` and `%u`.
    static var accessTopic: Self {
        let filter = ValueType<String>.topicFilter
        return Self(name: "topic filter", allowed: "%c, %u") { value throws(Refusal) in
            // A name stands for at least one character that is no wildcard.
            if case .string(let text) = value.content {
                var filled = value
                filled.content = .string(text.replacingPlaceholders)
                _ = try filter.read(filled)
            }
            return try ValueType<String>.program(bytes: 65_535).read(value)
        } write: {
            $0.tomlLiteral
        }
    }
}

extension String {
    fileprivate var replacingPlaceholders: String {
        var result = ""
        var rest = self[...]
        while let percent = rest.firstIndex(of: "%") {
            result += rest[..<percent]
            let after = rest[percent...].dropFirst()
            if after.first == "c" || after.first == "u" {
                result += "x"
                rest = after.dropFirst()
            } else {
                result += "%"
                rest = after
            }
        }
        return result + rest
    }
}
