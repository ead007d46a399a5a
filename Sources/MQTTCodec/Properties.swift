/// Properties of the packets that are decoded into values (MQTT 5.0 §2.2.2.2). Absent is nil, never a default: each
/// packet's rule for absence is applied by whoever uses the property.
public struct Properties: Sendable, Equatable {
    public var sessionExpiryInterval: UInt32?
    public var assignedClientIdentifier: String?
    public var serverKeepAlive: UInt16?
    public var authenticationMethod: String?
    public var authenticationData: [UInt8]?
    public var requestProblemInformation: Bool?
    public var requestResponseInformation: Bool?
    public var responseInformation: String?
    public var serverReference: String?
    public var reasonString: String?
    public var receiveMaximum: UInt16?
    public var topicAliasMaximum: UInt16?
    public var maximumQoS: UInt8?
    public var retainAvailable: Bool?
    public var maximumPacketSize: UInt32?
    public var wildcardSubscriptionAvailable: Bool?
    public var subscriptionIdentifierAvailable: Bool?
    public var sharedSubscriptionAvailable: Bool?
    public var userProperties: [UserProperty] = []

    public struct UserProperty: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public init() {}
}
