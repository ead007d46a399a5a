extension MartletConfiguration.Bridge {
    /// `[bridge.aws]`: the box as a thing of AWS IoT Core.
    public struct AWS: Sendable, Equatable {
        public var thing = ""
        public var topic = "dt/${thing}/${product}/${device}/${tail}"
        public var otherTopic = "dt/${thing}/${topic}"
        /// nil for the classic one.
        public var shadow: String?
        public var batchSize = 1
        public var batchAge = Duration.zero
        public var jobsTopic = "aws/jobs"
        public var commandTimeout = Duration.seconds(30)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.AWS: ConfigurationTable {
    package static let schema = Schema<Self>("The upstream is AWS IoT Core, and the box a thing of it.") {
        Key("thing", \.thing, .topicLevel, .required, help: "The thing's name.")
        Key(
            "topic", \.topic, .topicTemplate,
            help: "What a device's message is called: ${thing}, ${product}, ${device} and ${tail}, the end of its topic."
        )
        Key(
            "other-topic", \.otherTopic, .topicTemplate,
            help: "What other messages are called: ${thing}, and ${topic}, their local name."
        )
        Key("shadow", \.shadow, .topicLevel, example: "points", help: "A named shadow in place of the thing's classic one.")
        Key(
            "batch-size", \.batchSize, .integer(1...1000), unit: "messages",
            help: "Messages of a topic joined into a JSON array; 1 sends each as an object."
        )
        Key("batch-age", \.batchAge, .duration(.zero...(.minutes(1))), help: "How long a message may wait for others to join.")
        Key("jobs-topic", \.jobsTopic, .topicLevels, help: "What jobs are called here.")
        Key("command-timeout", \.commandTimeout, .duration(.seconds(1)...(.minutes(10))), help: "How long a device may take to answer a command.")
    } check: { aws, findings in
        aws.check("topic", aws.topic, ["thing", "product", "device", "tail"], &findings)
        aws.check("other-topic", aws.otherTopic, ["thing", "topic"], &findings)
    }

    private func check(_ key: String, _ template: String, _ known: [String], _ findings: inout Findings) {
        guard source.isSound(key) else { return }
        for part in template.split(separator: "${").dropFirst(template.hasPrefix("${") ? 0 : 1) {
            let name = String(part.prefix { $0 != "}" })
            if !known.contains(name) {
                findings.report(
                    source[key],
                    "\(key) cannot be filled in: there is no ${\(name)}, only \(known.map { "${\($0)}" }.joined(separator: ", "))")
            }
        }
    }

    /// What the keys of the bridge around it must be.
    func check(_ bridge: MartletConfiguration.Bridge, _ findings: inout Findings) {
        if bridge.source.isSound("keep-alive"), !(Duration.seconds(30)...Duration.seconds(1200)).contains(bridge.keepAlive) {
            findings.report(bridge.source["keep-alive"], "keep-alive is \"30s\" to \"1200s\" with [bridge.aws]")
        }
    }

    static var example: MartletConfiguration.Bridge {
        .example {
            $0.name = "aws"
            $0.host = "example-ats.iot.eu-central-1.amazonaws.com"
            $0.port = 443
            $0.transport = .tls
            $0.tls.alpn = ["x-amzn-mqtt-ca"]
            $0.tls.certificateFile = "box-1.pem"
            $0.tls.keyFile = "box-1.key"
            $0.clientIdentifier = "box-1"
            $0.aws = .example {
                $0.thing = "box-1"
                $0.shadow = "points"
            }
            $0.forward = [.example { $0.filter = "/sys/+/+/thing/measurepoint/post" }]
        }
    }
}
