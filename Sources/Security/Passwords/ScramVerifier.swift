/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677): enough to know the client that has the password,
/// too little to pass for it. As text it is PostgreSQL's `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
///
/// Passwords and user names are taken as they are, in UTF-8: SASLprep (RFC 4013) leaves ASCII alone and is not applied to
/// anything else, so that a name or password beyond ASCII has to be typed in the same composition everywhere.
public struct ScramVerifier: Sendable, Equatable, CustomStringConvertible {
    public let salt: [UInt8]
    public let iterations: Int
    let storedKey: [UInt8]
    let serverKey: [UInt8]

    /// RFC 7677 §4 asks for 4,096 at least. The client has to do them at every connection.
    public static let defaultIterations = 4_096
    public static let maximumIterations = 1_000_000
    private static let saltLength = 16
    private static let prefix = "SCRAM-SHA-256$"

    init(salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]) {
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// - Parameters:
    ///   - iterations: 1…``maximumIterations``.
    ///   - salt: a new one if nil.
    public init(password: [UInt8], iterations: Int = defaultIterations, salt: [UInt8]? = nil) {
        let salt = salt ?? secureRandom(ScramVerifier.saltLength)
        let iterations = min(max(iterations, 1), ScramVerifier.maximumIterations)
        let salted = Hash.sha256.stretched(password: password, salt: salt, iterations: iterations)
        let clientKey = Hash.sha256.authenticationCode(of: Array("Client Key".utf8), key: salted)
        self.init(
            salt: salt, iterations: iterations, storedKey: Hash.sha256.digest(clientKey),
            serverKey: Hash.sha256.authenticationCode(of: Array("Server Key".utf8), key: salted))
    }

    /// Whether a text is meant to be a verifier.
    static func isMeant(by text: some Collection<UInt8>) -> Bool { text.starts(with: prefix.utf8) }

    public init(_ text: some Collection<UInt8>) throws(PasswordFormatError) {
        let mistake = PasswordFormatError(reason: "is not SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")
        let parts = text.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard ScramVerifier.isMeant(by: text), parts.count == 3 else { throw mistake }
        let first = parts[1].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let second = parts[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard first.count == 2, second.count == 2, let salt = Base64.decode(first[1]), (1...128).contains(salt.count),
            let storedKey = Base64.decode(second[0]), storedKey.count == Hash.sha256.length,
            let serverKey = Base64.decode(second[1]), serverKey.count == Hash.sha256.length
        else { throw mistake }
        guard let iterations = Int(String(decoding: first[0], as: UTF8.self)),
            (1...ScramVerifier.maximumIterations).contains(iterations)
        else { throw PasswordFormatError(reason: "does not have 1…\(ScramVerifier.maximumIterations) iterations") }
        self.init(salt: salt, iterations: iterations, storedKey: storedKey, serverKey: serverKey)
    }

    /// Whether it is this password, for a client that sends it plainly.
    public func verify(_ password: [UInt8]) -> Bool {
        constantTimeEquals(ScramVerifier(password: password, iterations: iterations, salt: salt).storedKey, storedKey)
    }

    public var description: String {
        let text = [salt, storedKey, serverKey].map { String(decoding: Base64.encode($0), as: UTF8.self) }
        return "\(ScramVerifier.prefix)\(iterations):\(text[0])$\(text[1]):\(text[2])"
    }

    // MARK: Unknown users

    /// What is shown to a user that does not exist: always the same for the same name, and no password fits. Nobody can tell
    /// it from a real one who does not know this process's secret.
    ///
    /// - Parameter model: the iterations and the length of the salt are those of real users.
    static func decoy(for user: [UInt8], like model: ScramVerifier?) -> ScramVerifier {
        func bytes(_ purpose: String) -> [UInt8] {
            Hash.sha256.authenticationCode(of: Array(purpose.utf8) + user, key: ScramDecoy.secret)
        }
        return ScramVerifier(
            salt: Array(bytes("salt").prefix(model?.salt.count ?? saltLength)), iterations: model?.iterations ?? defaultIterations,
            storedKey: bytes("stored"), serverKey: bytes("server"))
    }
}

private enum ScramDecoy {
    static let secret = secureRandom(32)
}
