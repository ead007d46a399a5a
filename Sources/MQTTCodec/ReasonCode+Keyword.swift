extension ReasonCode {
    /// The standard's name as one word, for programs that read events and metrics: `session-taken-over`. What has no name is
    /// `0x…`.
    public var keyword: String {
        switch self {
        case .success: "normal"
        case .disconnectWithWill: "disconnect-with-will"
        case .unspecifiedError: "unspecified-error"
        case .malformedPacket: "malformed-packet"
        case .protocolError: "protocol-error"
        case .implementationSpecificError: "implementation-specific-error"
        case .unsupportedProtocolVersion: "unsupported-protocol-version"
        case .clientIdentifierNotValid: "client-identifier-not-valid"
        case .badUserNameOrPassword: "bad-user-name-or-password"
        case .notAuthorized: "not-authorized"
        case .serverUnavailable: "server-unavailable"
        case .serverBusy: "server-busy"
        case .banned: "banned"
        case .serverShuttingDown: "server-shutting-down"
        case .badAuthenticationMethod: "bad-authentication-method"
        case .keepAliveTimeout: "keep-alive-timeout"
        case .sessionTakenOver: "session-taken-over"
        case .topicFilterInvalid: "topic-filter-invalid"
        case .topicNameInvalid: "topic-name-invalid"
        case .packetIdentifierInUse: "packet-identifier-in-use"
        case .packetIdentifierNotFound: "packet-identifier-not-found"
        case .receiveMaximumExceeded: "receive-maximum-exceeded"
        case .topicAliasInvalid: "topic-alias-invalid"
        case .packetTooLarge: "packet-too-large"
        case .messageRateTooHigh: "message-rate-too-high"
        case .quotaExceeded: "quota-exceeded"
        case .administrativeAction: "administrative-action"
        case .payloadFormatInvalid: "payload-format-invalid"
        case .retainNotSupported: "retain-not-supported"
        case .qosNotSupported: "qos-not-supported"
        case .useAnotherServer: "use-another-server"
        case .serverMoved: "server-moved"
        case .sharedSubscriptionsNotSupported: "shared-subscriptions-not-supported"
        case .connectionRateExceeded: "connection-rate-exceeded"
        case .maximumConnectTime: "maximum-connect-time"
        case .subscriptionIdentifiersNotSupported: "subscription-identifiers-not-supported"
        case .wildcardSubscriptionsNotSupported: "wildcard-subscriptions-not-supported"
        default: "0x" + String(rawValue, radix: 16)
        }
    }
}
