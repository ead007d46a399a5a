import Broker
import Core
import MQTTCodec
import NIOCore
import NIOPosix
import Security
import TestSupport
import Testing

@testable import MQTTServer

/// Passwords of a file.
@Suite("Password authentication")
struct PasswordTests {
    private let folder: TestFolder
    private let file: PasswordFile

    init() throws {
        folder = TestFolder()
        let ann = PasswordHash.make(Array("secret".utf8), iterations: 1)
        let path = folder.write("users", "ann:\(ann)\nsue:\(ScramVerifier(password: Array("pencil".utf8), iterations: 1))\n")
        file = try PasswordFile(path: path)
    }

    private static func text(_ answer: AuthenticationAnswer) -> String {
        switch answer {
        case .accepted(let principal, let data):
            "accepted \(principal.userName ?? "") \(data.map { String(decoding: $0.prefix(2), as: UTF8.self) } ?? "-")"
        case .continues: "continues"
        case .refused(let reason, _): "refused \(reason.rawValue)"
        case .unknown: "unknown"
        }
    }

    private static func credentials(_ user: String?, _ password: String?) -> Credentials {
        Credentials(
            listener: "l", address: nil, clientIdentifier: "c", userName: user, password: password.map { Array($0.utf8) })
    }

    /// What is answered to logins one after the other, each with whether it was answered at once.
    private func answers(_ logins: [(String?, String?)]) async throws -> [String] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let file = file
        let bound = try await loop.submit {
            let queue = HashingQueue(eventLoop: loop, pool: NIOSingletons.posixBlockingThreadPool, width: 2)
            return NIOLoopBound(PasswordAuthenticator(file: file, queue: queue), eventLoop: loop)
        }.get()
        var all: [String] = []
        for (user, password) in logins {
            let credentials = Self.credentials(user, password)
            all.append(try await loop.flatSubmit { () -> EventLoopFuture<String> in
                let promise = loop.makePromise(of: String.self)
                let isAtOnce = NIOLoopBoundBox(true, eventLoop: loop)
                let attempt = AuthenticationAttempt(credentials: credentials, data: nil) {
                    promise.succeed(Self.text($0) + (isAtOnce.value ? " at once" : ""))
                }
                bound.value.authenticate(attempt, now: .zero)
                isAtOnce.value = false
                return promise.futureResult
            }.get())
        }
        return all
    }

    @Test("a right password is accepted, a wrong one refused, and another's user passed on")
    func decisions() async throws {
        let logins: [(String?, String?)] = [("ann", "secret"), ("ann", "wrong"), ("bob", "secret"), ("ann", nil), (nil, "secret"), ("sue", "pencil")]
        let answers = try await answers(logins)
        #expect(
            answers == ["accepted ann -", "refused 134", "unknown", "unknown at once", "unknown at once", "accepted sue -"])
    }

    @Test("that a password was right is remembered, and that it was wrong is not")
    func remembered() async throws {
        let logins: [(String?, String?)] = [("ann", "secret"), ("ann", "secret"), ("ann", "secre"), ("ann", "secre"), ("an", "nsecret")]
        let answers = try await answers(logins)
        #expect(answers == ["accepted ann -", "accepted ann - at once", "refused 134", "refused 134", "unknown"])
    }

    @Test("more than may wait are told that the server is busy, and all others are answered")
    func busy() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let file = file
        let counts = try await loop.flatSubmit { () -> EventLoopFuture<[String: Int]> in
            let queue = HashingQueue(eventLoop: loop, pool: NIOSingletons.posixBlockingThreadPool, width: 1)
            let authenticator = PasswordAuthenticator(file: file, queue: queue)
            let promise = loop.makePromise(of: [String: Int].self)
            let counts = NIOLoopBoundBox<[String: Int]>([:], eventLoop: loop)
            let bound = NIOLoopBound(authenticator, eventLoop: loop)
            let all = HashingQueue.maximumWaiting + 10
            for number in 0..<all {
                let attempt = AuthenticationAttempt(credentials: Self.credentials("ann", "\(number)"), data: nil) {
                    counts.value[Self.text($0), default: 0] += 1
                    if counts.value.values.reduce(0, +) == all {
                        _ = bound.value
                        promise.succeed(counts.value)
                    }
                }
                authenticator.authenticate(attempt, now: .zero)
            }
            return promise.futureResult
        }.get()
        // One is being checked while the others wait.
        #expect(counts == ["refused 137": 9, "refused 134": HashingQueue.maximumWaiting + 1])
    }

    // MARK: SCRAM

    /// The server's answers to the messages of a client; `finish` makes the last message from the server's first.
    private func exchange(_ first: String, finish: ([UInt8]) -> [UInt8]) -> [String] {
        let authenticator = ScramAuthenticator(file: file)
        var answers: [String] = []
        var challenge: [UInt8]?
        let attempt = AuthenticationAttempt(credentials: Self.credentials(nil, nil), data: Array(first.utf8)) { answer in
            if case .continues(let data) = answer { challenge = data }
            answers.append(Self.text(answer))
        }
        authenticator.authenticate(attempt, now: .zero)
        if let challenge {
            attempt.proceed(data: finish(challenge))
            authenticator.authenticate(attempt, now: .zero)
        }
        return answers
    }

    /// The last message of a client that has a password.
    private func last(_ first: String, _ challenge: [UInt8], password: String) -> [UInt8] {
        let text = String(decoding: challenge, as: UTF8.self)
        let fields = text.split(separator: ",").map { String($0.dropFirst(2)) }
        let salt = Base64Text.decode(fields[1])
        let salted = Hash.sha256.stretched(password: Array(password.utf8), salt: salt, iterations: Int(fields[2]) ?? 1)
        let key = Hash.sha256.authenticationCode(of: Array("Client Key".utf8), key: salted)
        let without = "c=biws,r=\(fields[0])"
        let signature = Hash.sha256.authenticationCode(
            of: Array("\(first.dropFirst(3)),\(text),\(without)".utf8), key: Hash.sha256.digest(key))
        return Array("\(without),p=\(Base64Text.encode(zip(key, signature).map { $0 ^ $1 }))".utf8)
    }

    @Test("SCRAM lets in those who have the password", arguments: [
        ("sue", "pencil", ["continues", "accepted sue v="]), ("sue", "pen", ["continues", "refused 134"]),
        ("eve", "pencil", ["continues", "refused 134"]), ("ann", "secret", ["continues", "refused 134"]),
    ])
    func scram(user: String, password: String, expected: [String]) {
        let first = "n,,n=\(user),r=abc"
        #expect(exchange(first) { last(first, $0, password: password) } == expected)
    }

    @Test("what is not SCRAM is refused", arguments: ["", "n,,", "p=x,,n=sue,r=a", "n,,n=sue", "n,,n=,r=a", "n,,m=1,n=sue,r=a"])
    func noScram(first: String) {
        #expect(exchange(first) { $0 } == ["refused 135"])
    }

    @Test("nor is an answer that belongs to another challenge", arguments: ["", "c=biws,r=abc,p=AAAA", "x"])
    func noAnswer(last: String) {
        #expect(exchange("n,,n=sue,r=abc") { _ in Array(last.utf8) } == ["continues", "refused 135"])
    }
}

/// Base 64 (RFC 4648 §4).
private enum Base64Text {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

    static func encode(_ bytes: [UInt8]) -> String {
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let word = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for index in 0..<4 { text.append(index <= part.count ? digits[word >> (18 - 6 * index) & 63] : "=") }
        }
        return text
    }

    static func decode(_ text: String) -> [UInt8] {
        var bits = 0
        var count = 0
        var bytes: [UInt8] = []
        for character in text {
            guard let digit = digits.firstIndex(of: character) else { break }
            bits = bits << 6 | digit
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(bits >> count & 0xFF))
            }
        }
        return bytes
    }
}
