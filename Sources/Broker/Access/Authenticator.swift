public import Core
public import MQTTCodec

// How a client proves who it is.
//
//     CONNECT ──> authenticate(attempt) ──> .accepted ──────────> session, CONNACK
//                      ▲       │      └───> .refused ───────────> CONNACK with the reason, end
//                      │       └──────────> .unknown ───────────> the listener's next authenticator
//     AUTH ────────────┴────────────────── .continues(data) ────> AUTH to the client (MQTT 5.0 §4.12)
//
// An answer may come within the call or later on the broker's loop: whoever hashes a password does so elsewhere.

/// One way to prove who one is: a password file, a certificate, the device hub's registry…
///
/// Belongs to the broker's event loop.
public protocol Authenticator: AnyObject {
    /// The Authentication Method of MQTT 5.0 that it speaks; nil for one that looks at the CONNECT alone.
    var method: String? { get }

    /// Looks at what the client shows, and answers with ``AuthenticationAttempt/answer(_:)`` once, now or later on the loop.
    /// Called again, with new ``AuthenticationAttempt/data``, for each AUTH after an answer `continues`.
    ///
    /// Must take as long for a user that does not exist as for a wrong password.
    func authenticate(_ attempt: AuthenticationAttempt, now: MonotonicTime)

    /// Whether somebody that it once accepted would still be: asked after a reload, for each of its clients. Of one that
    /// is not its own it says false.
    func stillKnows(_ principal: Principal, of credentials: Credentials) -> Bool
}

/// What an authenticator says.
public enum AuthenticationAnswer {
    /// - Parameter data: the last Authentication Data, for CONNACK or the last AUTH.
    case accepted(Principal, data: [UInt8]? = nil)
    /// The client has to answer this Authentication Data; only with a method.
    case continues(data: [UInt8])
    /// - Parameter reason: for the log.
    case refused(ReasonCode, reason: String)
    /// Not a client of this authenticator: the next one decides.
    case unknown
}

/// One client's try to prove who it is; also a later one on an open connection (MQTT 5.0 §4.12.1).
///
/// Belongs to the broker's event loop.
public final class AuthenticationAttempt {
    public let credentials: Credentials
    /// Authentication Data, first of CONNECT and then of each AUTH.
    public private(set) var data: [UInt8]?
    /// What the authenticator has to remember until the next step.
    public var memory: AnyObject?
    /// The connection is gone or has waited too long: an answer is not heard any more.
    public private(set) var isCancelled = false
    private var receiver: ((AuthenticationAnswer) -> Void)?

    /// - Parameter receiver: gets the answers, the last of which ends the attempt.
    public init(credentials: Credentials, data: [UInt8]?, receiver: @escaping (AuthenticationAnswer) -> Void) {
        self.credentials = credentials
        self.data = data
        self.receiver = receiver
    }

    /// To be called by the authenticator, on the loop.
    public func answer(_ answer: AuthenticationAnswer) {
        guard let receiver else { return }
        switch answer {
        case .accepted, .refused:
            self.receiver = nil
            memory = nil
        case .continues, .unknown:
            break
        }
        receiver(answer)
    }

    /// The client's next step.
    public func proceed(data: [UInt8]?) { self.data = data }

    /// Nobody waits for an answer any more.
    public func cancel() {
        isCancelled = true
        receiver = nil
        memory = nil
    }
}
