public import Core
public import MQTTCodec

/// The limits on coming and going. Each says what happens at the limit; nil is no limit.
public struct AdmissionLimits: Sendable, Equatable {
    /// CONNECTs a second through one listener; one more is refused with Connection rate exceeded.
    public var connectRate: Int?
    /// CONNECTs a second from one address; as above.
    public var connectRatePerAddress: Int?
    /// Connections from one address; one more is closed at once.
    public var maximumConnectionsPerAddress: Int?

    /// Failed logins of one subject within ``banWindow`` after which it is banned; nil for never.
    public var banAfter: Int? = 10
    public var banWindow = Duration.seconds(300)
    public var banTime = Duration.seconds(600)
    public var bansAddresses = true
    public var bansClientIdentifiers = true
    public var bansUserNames = false
    /// Whether addresses of this machine are banned too.
    public var bansLoopback = false

    /// Connections of one client identifier within ``flapWindow`` that are allowed; one more bans it. nil for any number.
    public var flapAfter: Int?
    public var flapWindow = Duration.seconds(60)
    public var flapBanTime = Duration.seconds(300)

    public init() {}

    /// Nothing has to be counted as long as nobody fails to log in.
    var isIdle: Bool { connectRate == nil && connectRatePerAddress == nil && flapAfter == nil }
}

/// Who is let in: bans, rates and counts of clients that come.
///
/// All tables are bounded. Addresses are ``NetworkAddress/site``; a client of a Unix socket has none, and is subject to what
/// is kept by client identifier and user name alone.
public struct Admission {
    public var limits: AdmissionLimits {
        didSet {
            listenerRates = [:]
            addressRates.removeAll()
        }
    }
    /// Whether a CONNECT needs no look.
    public var isIdle: Bool { limits.isIdle && bans.count == 0 }

    /// Bans since the last call of ``takeBans()``.
    private var newBans: [Ban] = []
    private var bans = BanList()
    private var failures = EventCounter<BanList.Subject>()
    private var connects = EventCounter<String>()
    private var listenerRates: [String: TokenBucket] = [:]
    private var addressRates = BoundedTable<NetworkAddress, TokenBucket>(limit: BanList.maximumCount)
    /// Open connections by address; as many as there are connections at most.
    private var connections: [NetworkAddress: Int] = [:]

    /// Somebody is banned from now on.
    public struct Ban: Sendable {
        public var subject: BanList.Subject
        public var time: Duration
        public var reason: String
    }

    static let maximumNewBans = 1_000
    var banCount: Int { bans.count }

    /// The longest that the answer to a failed login waits.
    public static let maximumDelay = Duration.seconds(3)

    public init(limits: AdmissionLimits = AdmissionLimits()) { self.limits = limits }

    // MARK: Connections

    /// A connection is there.
    ///
    /// - Returns: false if it is one too many from its address.
    public mutating func opened(from address: NetworkAddress) -> Bool {
        guard let maximum = limits.maximumConnectionsPerAddress else { return true }
        guard connections[address.site, default: 0] < maximum else { return false }
        connections[address.site, default: 0] += 1
        return true
    }

    /// A connection that ``opened(from:)`` counted is gone.
    public mutating func closed(from address: NetworkAddress) {
        guard let count = connections[address.site] else { return }
        connections[address.site] = count > 1 ? count - 1 : nil
    }

    // MARK: CONNECT

    /// A client sent CONNECT.
    ///
    /// - Returns: the reason to refuse it; nil if it is let in so far.
    public mutating func refusal(of credentials: Credentials, now: MonotonicTime) -> ReasonCode? {
        if bans.count > 0 {
            for subject in subjects(of: credentials) where bans.isBanned(subject, now: now) { return .banned }
        }
        if limits.isIdle { return nil }
        if let rate = limits.connectRate {
            var bucket = listenerRates[credentials.listener] ?? TokenBucket(rate: Double(rate), now: now)
            let isWithin = bucket.take(now: now)
            listenerRates[credentials.listener] = bucket
            if !isWithin { return .connectionRateExceeded }
        }
        if let rate = limits.connectRatePerAddress, let site = credentials.address?.site {
            var bucket = addressRates[site] ?? TokenBucket(rate: Double(rate), now: now)
            let isWithin = bucket.take(now: now)
            addressRates[site] = bucket
            if !isWithin { return .connectionRateExceeded }
        }
        if let most = limits.flapAfter, !credentials.clientIdentifier.isEmpty {
            let identifier = credentials.clientIdentifier
            if connects.count(identifier, window: limits.flapWindow, now: now) > most {
                connects.forget(identifier)
                ban(.clientIdentifier(identifier), for: limits.flapBanTime, reason: "more than \(most) connections", now: now)
                return .banned
            }
        }
        return nil
    }

    /// A client failed to log in.
    ///
    /// - Returns: how long its answer has to wait, the longer the more often it failed.
    public mutating func failed(_ credentials: Credentials, now: MonotonicTime) -> Duration {
        var most = 0
        for subject in subjects(of: credentials) {
            let count = failures.count(subject, window: limits.banWindow, now: now)
            most = max(most, count)
            guard let limit = limits.banAfter, count >= limit else { continue }
            failures.forget(subject)
            ban(subject, for: limits.banTime, reason: "\(count) failed logins", now: now)
        }
        // The first costs nothing that a person would notice: a typing error is not an attack.
        guard most > 1 else { return .zero }
        return min(Admission.maximumDelay, .milliseconds(100 << Int64(min(most - 2, 10))))
    }

    /// A client proved who it is: its failures are forgotten, other than those of its address, which may be somebody else's.
    public mutating func succeeded(_ credentials: Credentials) {
        failures.forget(.clientIdentifier(credentials.clientIdentifier))
        if let userName = credentials.userName { failures.forget(.userName(userName)) }
    }

    /// The bans since the last call.
    public mutating func takeBans() -> [Ban] {
        guard !newBans.isEmpty else { return [] }
        defer { newBans = [] }
        return newBans
    }

    private mutating func ban(_ subject: BanList.Subject, for time: Duration, reason: String, now: MonotonicTime) {
        bans.ban(subject, until: now + time)
        // They are taken after each CONNECT; if nobody does, they are not worth the memory.
        if newBans.count >= Admission.maximumNewBans { newBans.removeAll() }
        newBans.append(Ban(subject: subject, time: time, reason: reason))
    }

    /// What a client is banned by.
    private func subjects(of credentials: Credentials) -> [BanList.Subject] {
        var subjects: [BanList.Subject] = []
        if limits.bansAddresses, let address = credentials.address, limits.bansLoopback || !address.isLoopback {
            subjects.append(.address(address.site))
        }
        if limits.bansClientIdentifiers, !credentials.clientIdentifier.isEmpty {
            subjects.append(.clientIdentifier(credentials.clientIdentifier))
        }
        if limits.bansUserNames, let userName = credentials.userName { subjects.append(.userName(userName)) }
        return subjects
    }
}
