public import Broker
public import Core
import MQTTCodec
public import Security

/// Knows clients by SCRAM-SHA-256 (RFC 5802, RFC 7677), as an Authentication Method of MQTT 5.0: the password does not go
/// over the network, and the client learns whether the server knows it.
///
/// ```
///  CONNECT   method, client-first-message ──>
///                       <── AUTH 0x18        server-first-message
///  AUTH 0x18 client-final-message ──>
///                       <── CONNACK or AUTH 0x00   server-final-message
/// ```
///
/// Belongs to the server's event loop.
public final class ScramAuthenticator: Authenticator {
    /// What is remembered between the two messages of a client.
    private final class Exchange {
        var server = ScramServer()
        var user: [UInt8]?
    }

    private let file: PasswordFile

    public var method: String? { "SCRAM-SHA-256" }

    public init(file: PasswordFile) { self.file = file }

    public func authenticate(_ attempt: AuthenticationAttempt, now: MonotonicTime) {
        let exchange = attempt.memory as? Exchange ?? Exchange()
        attempt.memory = exchange
        do throws(ScramError) {
            if let user = exchange.user {
                let last = try exchange.server.finish(attempt.data ?? [])
                // Only a real user's verifier lets an exchange come to its end.
                let principal = Principal(userName: String(decoding: user, as: UTF8.self), origin: .scram)
                attempt.answer(.accepted(principal, data: last))
            } else {
                let user = try exchange.server.begin(attempt.data ?? [])
                exchange.user = user
                attempt.answer(.continues(data: try exchange.server.challenge(file.scramVerifier(of: user))))
            }
        } catch {
            let reason = exchange.user.map { words(of: error, user: $0) } ?? "\(error)"
            attempt.answer(.refused(error == .refused ? .badUserNameOrPassword : .notAuthorized, reason: reason))
        }
    }

    /// For the log; the client is not told which it is.
    private func words(of error: ScramError, user: [UInt8]) -> String {
        let name = "user \(String(decoding: user, as: UTF8.self).inQuotes)"
        guard error == .refused else { return "\(error), \(name)" }
        if file.hasScramVerifier(user: user) { return "SCRAM: wrong password of \(name)" }
        return file.contains(user: user)
            ? "SCRAM: \(name) has no SCRAM verifier in the password file; `martlet passwd --scram` makes one"
            : "SCRAM: unknown \(name)"
    }

    public func stillKnows(_ principal: Principal, of credentials: Credentials) -> Bool {
        guard principal.origin == .scram, let user = principal.userName else { return false }
        return file.contains(user: Array(user.utf8))
    }
}
