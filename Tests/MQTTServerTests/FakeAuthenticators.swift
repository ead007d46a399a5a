import Broker
import Core
import MQTTCodec

/// Accepts whom it is told to, when it is told to.
final class FakeAuthenticator: Authenticator {
    var method: String? { nil }
    private(set) var attempts: [AuthenticationAttempt] = []
    /// Passwords by user.
    var users: [String: String]
    /// Whether answers wait for ``answerAll()``.
    var isSlow = false

    init(users: [String: String]) { self.users = users }

    func authenticate(_ attempt: AuthenticationAttempt, now: MonotonicTime) {
        attempts.append(attempt)
        if !isSlow { answer(attempt) }
    }

    private func answer(_ attempt: AuthenticationAttempt) {
        guard let user = attempt.credentials.userName, let password = users[user] else { return attempt.answer(.unknown) }
        let isRight = attempt.credentials.password == Array(password.utf8)
        attempt.answer(
            isRight
                ? .accepted(Principal(userName: user, origin: .other)) : .refused(.badUserNameOrPassword, reason: "wrong"))
    }

    func answerAll() {
        for attempt in attempts { answer(attempt) }
        attempts = []
    }

    func stillKnows(_ principal: Principal, of credentials: Credentials) -> Bool {
        principal.userName.map { users[$0] != nil } ?? false
    }
}

/// Asks as many questions as it is told, and wants `yes` for each.
final class FakeExchange: Authenticator {
    private final class Asked { var count = 0 }

    let method: String? = "ASK"
    var questions = 2
    var isUserGone = false

    func authenticate(_ attempt: AuthenticationAttempt, now: MonotonicTime) {
        let asked = attempt.memory as? Asked ?? Asked()
        attempt.memory = asked
        if asked.count > 0 || questions == 0, attempt.data != Array("yes".utf8) {
            return attempt.answer(.refused(.notAuthorized, reason: "no"))
        }
        if asked.count == questions {
            return attempt.answer(.accepted(Principal(userName: "asked", origin: .scram), data: Array("done".utf8)))
        }
        asked.count += 1
        attempt.answer(.continues(data: Array("question \(asked.count)".utf8)))
    }

    func stillKnows(_ principal: Principal, of credentials: Credentials) -> Bool { !isUserGone && principal.origin == .scram }
}
