internal import Core
internal import Glibc

package extension ValueType where Value == String {
    /// Text that a rule of its own checks: `problem` returns what completes "host "…" …", or nil.
    private static func text(
        _ name: String,
        allowed: String = "",
        bytes: ClosedRange<Int>,
        problem: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> Self {
        Self(name: name, allowed: allowed) { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind("a string", value) }
            let count = text.utf8.count
            guard count > 0 || bytes.lowerBound == 0 else { throw Refusal("must not be empty") }
            guard bytes.contains(count) else {
                throw Refusal("has \(count) bytes; allowed are \(bytes.lowerBound)…\(bytes.upperBound)")
            }
            if let problem = problem(text) { throw Refusal("\(text.quotedForMessage) \(problem)") }
            return text
        } write: {
            $0.tomlLiteral
        }
    }

    /// Text for people: one line.
    static var label: Self {
        text("string", allowed: "at most 200 bytes", bytes: 0...200) { text in
            text.unicodeScalars.contains(where: \.isControl) ? "must not contain control characters" : nil
        }
    }

    /// A GPIO line: its name, or its chip and then, behind a colon, its offset or name.
    static var gpioLine: Self {
        text("GPIO line", allowed: "NAME, CHIP:OFFSET or CHIP:NAME", bytes: 1...200) { text in
            if text.unicodeScalars.contains(where: \.isControl) { return "must not contain control characters" }
            if text.hasSuffix(":") { return "has no line behind its chip" }
            return text.hasPrefix(":") ? "has no chip before the colon" : nil
        }
    }

    /// Text of several lines.
    static func program(bytes: Int) -> Self {
        text("string", allowed: "at most \(bytes) bytes", bytes: 1...bytes)
    }

    /// The name of a part: in logs, in metrics, and in references from other tables.
    static var name: Self {
        text("string", allowed: "1…64 letters, digits, - _ .", bytes: 1...64) { text in
            text.utf8.allSatisfy(isNameCharacter) ? nil : "may only have letters, digits, \"-\", \"_\" and \".\""
        }
    }

    /// One of the ``DriverCatalogue``'s protocols. Which there are, the printers are told.
    static var protocolName: Self { text(KeyDescription.protocolType, allowed: "", bytes: 1...64) }

    /// A key that becomes one level of a topic: a product key, a device key.
    static var topicLevel: Self {
        text("string", allowed: "1…128 bytes, no / + #, no leading $", bytes: 1...128) { text in
            if text.hasPrefix("$") { return "must not begin with \"$\", which marks a server's own topics" }
            let isLevel = text.unicodeScalars.allSatisfy { $0 != "/" && $0 != "+" && $0 != "#" && !$0.isControl }
            return isLevel ? nil : "must be one topic level: without \"/\", \"+\", \"#\" and control characters"
        }
    }

    /// The path of a file or folder.
    static var path: Self {
        text("path", allowed: "", bytes: 1...4095) { text in
            text.utf8.contains(0) ? "must not contain U+0000" : nil
        }
    }

    /// The name of something built in, or the path of a file in its place.
    static var nameOrPath: Self {
        text("name or path", allowed: "a path has a / or ends with .toml", bytes: 1...4095) { text in
            text.unicodeScalars.contains(where: \.isControl) ? "must not contain control characters" : nil
        }
    }

    static func isHost(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count) && (text.utf8.allSatisfy { isNameCharacter($0) } || IPAddress(text) != nil)
    }

    /// A host name or an IP address.
    static var host: Self {
        text("host", allowed: "name or IP address", bytes: 1...253) { text in
            isHost(text) ? nil : "is not a host name or an IP address (the port has a key of its own)"
        }
    }

    /// A host name as clients of TLS ask for it, or `*.` and the rest of one.
    static var serverName: Self {
        text("host name", allowed: "*. for any first label", bytes: 1...253) { text in
            let name = text.hasPrefix("*.") ? text.dropFirst(2) : text[...]
            let isName = !name.isEmpty && name.utf8.allSatisfy(isNameCharacter)
            return isName ? nil : "is not a host name such as box.example.com or *.example.com"
        }
    }

    /// A numeric IPv4 or IPv6 address.
    static var address: Self {
        text("address", allowed: "IPv4 or IPv6 address", bytes: 1...64) { text in
            IPAddress(text) == nil ? "is not an IPv4 or IPv6 address" : nil
        }
    }

    /// The path of a page: `/`, letters, digits, `-`, `_`, `.`.
    static var httpPath: Self {
        text("path", allowed: "begins with /", bytes: 1...256) { text in
            let isPlain = text.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || "/-_.".utf8.contains($0)
            }
            return text.hasPrefix("/") && isPlain ? nil : "must begin with / and have only letters, digits, -, _ and . in it"
        }
    }

    /// An MQTT client identifier, user name…: UTF-8 without control characters.
    static func mqttString(bytes: ClosedRange<Int>) -> Self {
        text("string", allowed: "at most \(bytes.upperBound) bytes", bytes: bytes) { text in
            text.unicodeScalars.contains(where: \.isControl) ? "must not contain control characters" : nil
        }
    }

    static var topicFilter: Self {
        text("topic filter", allowed: "", bytes: 1...65_535) { text in
            TopicFilter(text) == nil
                ? "is not a topic filter: \"+\" fills a whole level, \"#\" the whole last level" : nil
        }
    }

    /// The whole name of a topic.
    static var topicName: Self {
        text("topic", allowed: "no + #", bytes: 1...65_535) { text in
            if TopicName(text) == nil || text.unicodeScalars.contains(where: \.isControl) {
                return "is not a topic: it must not contain \"+\", \"#\" and control characters"
            }
            return nil
        }
    }

    /// What goes before a topic, or is taken from it.
    static var topicPrefix: Self {
        text("topic prefix", allowed: "no + #", bytes: 1...1024) { text in
            if TopicName(text) == nil || text.unicodeScalars.contains(where: \.isControl) {
                return "is not a topic prefix: it must not contain \"+\", \"#\" and control characters"
            }
            return nil
        }
    }

    /// Whole levels that go before a topic, a `/` between.
    static var topicLevels: Self {
        text("topic levels", allowed: "no + #, no leading $, no / at the end", bytes: 1...1024) { text in
            if text.hasPrefix("$") { return "must not begin with \"$\", which marks a server's own topics" }
            if text.hasSuffix("/") { return "must not end with \"/\": one is put before the topic" }
            if TopicName(text) == nil || text.unicodeScalars.contains(where: \.isControl) {
                return "is not the beginning of a topic: it must not contain \"+\", \"#\" and control characters"
            }
            return nil
        }
    }

    /// The path of a URL, without query (RFC 3986 §3.3, with nothing that needs an escape).
    static var urlPath: Self {
        text("URL path", allowed: "begins with /", bytes: 1...1024) { text in
            let isPath = text.hasPrefix("/") && text.utf8.allSatisfy { isNameCharacter($0) || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "~") }
            return isPath ? nil : "is not a path: it begins with \"/\" and has letters, digits, \"-\", \"_\", \".\", \"~\" and \"/\""
        }
    }

    /// Text that is not empty, of printable ASCII.
    static func line(bytes: Int) -> Self {
        text("string", allowed: "at most \(bytes) bytes", bytes: 1...bytes) { text in
            text.utf8.allSatisfy { (33...126).contains($0) } ? nil : "must only have printable characters, without spaces"
        }
    }

    /// What a device is called upstream: a text with `${device}` in it, and perhaps `${product}`.
    static func deviceName(isTopicLevel: Bool) -> Self {
        text("name", allowed: "with ${device}" + (isTopicLevel ? ", no / + #" : ""), bytes: 1...256) { text in
            guard text.contains("${device}") else { return "does not have ${device} in it: all devices would be called the same" }
            let rest = text.replacing("${device}", with: "").replacing("${product}", with: "")
            if rest.contains("${") { return "has a placeholder other than ${product} and ${device}" }
            if rest.unicodeScalars.contains(where: { $0.isControl || isTopicLevel && ($0 == "/" || $0 == "+" || $0 == "#") }) {
                return "must not contain control characters" + (isTopicLevel ? ", \"/\", \"+\" and \"#\"" : "")
            }
            return nil
        }
    }

    /// A topic with `${…}` in it. What stands between the braces is checked by the part that fills it in.
    static var topicTemplate: Self {
        text("topic template", allowed: "no + # outside of ${…}", bytes: 1...4096) { text in
            var isInside = false
            var last: Unicode.Scalar = " "
            for scalar in text.unicodeScalars {
                if isInside {
                    isInside = scalar != "}"
                } else if last == "$", scalar == "{" {
                    isInside = true
                } else if scalar == "+" || scalar == "#" || scalar.isControl {
                    return "is not a topic: it must not contain \"+\", \"#\" and control characters"
                }
                last = scalar
            }
            return isInside ? "has a \"${\" without its \"}\"" : nil
        }
    }
}

extension ValueType where Value == QoS {
    static var qos: Self { qos([.atMostOnce, .atLeastOnce, .exactlyOnce]) }

    static func qos(below limit: QoS) -> Self { qos([.atMostOnce, .atLeastOnce, .exactlyOnce].filter { $0 < limit }) }

    private static func qos(_ values: [QoS]) -> Self {
        let numbers = values.map { "\($0.rawValue)" }
        let allowed = numbers.joined(separator: ", ")
        let choice = numbers.dropLast().joined(separator: ", ") + " or " + (numbers.last ?? "")
        return Self(name: "integer", allowed: allowed) { value throws(Refusal) in
            guard case .integer(let wide) = value.content else { throw .kind(choice, value) }
            guard let result = UInt8(exactly: wide).flatMap(QoS.init(rawValue:)), values.contains(result) else {
                throw Refusal("\(wide) is not supported (\(allowed))")
            }
            return result
        } write: {
            "\($0.rawValue)"
        }
    }
}

private func isNameCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
    default:
        false
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool { value < 32 || (127...159).contains(value) }
}

extension String {
    /// A TOML string: literal where that avoids escapes, else basic.
    package var tomlLiteral: String {
        let needsEscapes = unicodeScalars.contains { $0 == "\"" || $0 == "\\" }
        if needsEscapes, !unicodeScalars.contains(where: { $0 == "'" || $0.isControl }) { return "'\(self)'" }
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.isControl:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
