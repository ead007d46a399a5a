extension ReasonCode {
    /// What the code means in one line, as the Reason String of an answer; nil for success. For people who look for what is
    /// wrong (MQTT 5.0 §2.2.2.2): no program should read it.
    public var explanation: String? {
        switch self {
        case .unspecifiedError: "the server does not say why"
        case .malformedPacket: "the packet is malformed"
        case .protocolError: "the packet breaks the protocol"
        case .implementationSpecificError: "this server does not take the packet"
        case .unsupportedProtocolVersion: "MQTT 3.1, 3.1.1 and 5.0 are spoken here"
        case .clientIdentifierNotValid: "the client identifier is not allowed"
        case .badUserNameOrPassword: "user name or password is wrong"
        case .notAuthorized: "not allowed"
        case .serverUnavailable: "the server is not available"
        case .serverBusy: "the server has as many connections as it takes"
        case .banned: "banned for a while"
        case .serverShuttingDown: "the server is shutting down"
        case .badAuthenticationMethod: "the authentication method is not supported, or not the one of CONNECT"
        case .keepAliveTimeout: "no packet came for one and a half times the keep alive"
        case .sessionTakenOver: "another connection uses the client identifier"
        case .topicFilterInvalid: "the topic filter is not valid, or has too many levels"
        case .topicNameInvalid: "the topic is not one to publish to, or has too many levels"
        case .packetIdentifierInUse: "the packet identifier is in use"
        case .packetIdentifierNotFound: "there is no message with the packet identifier"
        case .receiveMaximumExceeded: "more messages are unacknowledged than Receive Maximum allows"
        case .topicAliasInvalid: "the topic alias is 0 or above Topic Alias Maximum"
        case .packetTooLarge: "the packet is larger than Maximum Packet Size"
        case .messageRateTooHigh: "too many messages in too short a time"
        case .quotaExceeded: "a limit of the server is reached"
        case .administrativeAction: "closed by the operator"
        case .payloadFormatInvalid: "the payload is not the UTF-8 that its format indicator says"
        case .retainNotSupported: "retained messages are not available"
        case .qosNotSupported: "the QoS is above Maximum QoS"
        case .useAnotherServer: "use another server for now"
        case .serverMoved: "the server has moved"
        case .sharedSubscriptionsNotSupported: "shared subscriptions are not available"
        case .connectionRateExceeded: "too many connections in too short a time"
        case .maximumConnectTime: "the connection has lasted as long as it may"
        case .subscriptionIdentifiersNotSupported: "subscription identifiers are not available"
        case .wildcardSubscriptionsNotSupported: "wildcard subscriptions are not available"
        default: nil
        }
    }
}
