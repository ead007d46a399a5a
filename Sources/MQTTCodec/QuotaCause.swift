// Quota exceeded (0x97) is one code for every limit of a server. Which one it is goes to people, in the Reason String and the
// log; it is not on the wire.

/// Which limit a server has reached when it says Quota exceeded.
public enum QuotaCause: UInt8, Sendable, CaseIterable {
    case diskFull
    /// More waits for the disk than it takes.
    case diskBehind
    /// Whoever the message is for has as much waiting as may wait.
    case memory
    /// The cache of a bridge that refuses what it has no room for.
    case cacheFull
    case retainedMessages
    case subscriptions

    /// In one line, for people.
    public var explanation: String {
        switch self {
        case .diskFull: "the server's disk is full"
        case .diskBehind: "more waits for the server's disk than it takes"
        case .memory: "as much waits for the receivers as the server keeps"
        case .cacheFull: "the server's cache for an upstream is full"
        case .retainedMessages: "the server retains as many messages as it may"
        case .subscriptions: "the client has as many subscriptions as it may"
        }
    }
}

/// Several of them.
public struct QuotaCauses: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public init(_ cause: QuotaCause) { rawValue = 1 << cause.rawValue }
}

extension AcknowledgementPacket {
    /// What its reason code means here, in one line for people (MQTT 5.0 §3.4.2.2.2); nil for success.
    public var reasonString: String? { quotaCause?.explanation ?? reasonCode.explanation }
}

extension SubackPacket {
    /// Why some of the requests were refused, each reason once (MQTT 5.0 §3.9.2.1.2); nil if none was.
    public var reasonString: String? {
        var reasons: [String] = []
        for code in reasonCodes where code.isError && (code != .quotaExceeded || quotaCauses.isEmpty) {
            if let reason = code.explanation, !reasons.contains(reason) { reasons.append(reason) }
        }
        for cause in QuotaCause.allCases where quotaCauses.contains(QuotaCauses(cause)) { reasons.append(cause.explanation) }
        return reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }
}
