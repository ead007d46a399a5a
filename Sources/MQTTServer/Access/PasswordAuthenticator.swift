public import Broker
public import Core
import MQTTCodec
public import Security

/// Knows clients by user name and password.
///
/// Passwords are hashed elsewhere, see ``HashingQueue``. That one was right is remembered, so that ten thousand devices that
/// come back after a power cut do not wait for ten thousand hashes: not the password is kept but its authentication code
/// under a key that only this process has. Another file means another authenticator, which remembers nothing.
///
/// Belongs to the server's event loop.
public final class PasswordAuthenticator: Authenticator {
    private let file: PasswordFile
    private let queue: HashingQueue
    private let key = secureRandom(32)
    private var known = VerifiedPasswords()

    public var method: String? { nil }

    public init(file: PasswordFile, queue: HashingQueue) {
        self.file = file
        self.queue = queue
    }

    public func authenticate(_ attempt: AuthenticationAttempt, now: MonotonicTime) {
        let credentials = attempt.credentials
        // A password without a name, or a name without a password, is nobody's.
        guard let user = credentials.userName, let password = credentials.password else { return attempt.answer(.unknown) }
        let code = Hash.sha256.authenticationCode(of: PasswordAuthenticator.joined(user, password), key: key)
        if known.contains(code) { return attempt.answer(.accepted(Principal(userName: user, origin: .password))) }
        let file = file
        let name = Array(user.utf8)
        let isTaken = queue.submit(isWanted: { !attempt.isCancelled }) {
            file.verify(user: name, password: password)
        } completion: { [weak self] isRight in
            switch isRight {
            case true?:
                self?.known.insert(code)
                attempt.answer(.accepted(Principal(userName: user, origin: .password)))
            case false?:
                // Whether the name or the password is wrong is nobody's business; another authenticator may know the name.
                attempt.answer(
                    file.contains(user: name) ? .refused(.badUserNameOrPassword, reason: "wrong password") : .unknown)
            case nil:
                attempt.answer(.refused(.serverUnavailable, reason: "passwords cannot be checked now"))
            }
        }
        if !isTaken { attempt.answer(.refused(.serverBusy, reason: "too many passwords wait to be checked")) }
    }

    /// The length of the name stands before it, so that no other pair is the same bytes.
    private static func joined(_ user: String, _ password: [UInt8]) -> [UInt8] {
        let name = Array(user.utf8)
        return [UInt8(truncatingIfNeeded: name.count >> 8), UInt8(truncatingIfNeeded: name.count)] + name + password
    }

    public func stillKnows(_ principal: Principal, of credentials: Credentials) -> Bool {
        guard principal.origin == .password, let user = principal.userName else { return false }
        return file.contains(user: Array(user.utf8))
    }
}

/// Codes of passwords that were right. Bounded: it forgets half when it is full.
private struct VerifiedPasswords {
    private var young: Set<[UInt8]> = []
    private var old: Set<[UInt8]> = []
    private static let limit = 20_000

    mutating func contains(_ code: [UInt8]) -> Bool {
        if young.contains(code) { return true }
        guard old.contains(code) else { return false }
        insert(code)
        return true
    }

    mutating func insert(_ code: [UInt8]) {
        young.insert(code)
        guard young.count >= VerifiedPasswords.limit else { return }
        old = young
        young = []
    }
}
