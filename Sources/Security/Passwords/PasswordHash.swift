/// A password as a file keeps it, in mosquitto_passwd's formats: `$7$iterations$salt$hash` (PBKDF2 with HMAC-SHA-512) and the
/// older `$6$salt$hash` (SHA-512 of password and salt), salt and hash in base 64.
public struct PasswordHash: Sendable, Equatable, CustomStringConvertible {
    /// Rounds of PBKDF2; nil for the older format.
    public let iterations: Int?
    let salt: [UInt8]
    let hash: [UInt8]

    /// What a new hash is made with. (mosquitto_passwd 2.0 takes 101, which a thief of the file tries out in no time.)
    public static let defaultIterations = 20_000
    /// A hash with more is refused: checking it would hold a connection up for seconds.
    public static let maximumIterations = 1_000_000
    /// mosquitto 2.0 takes salts of this length only.
    private static let saltLength = 12
    private static let maximumSaltLength = 128

    /// Hashes a password with a new salt. This takes a while: 20,000 iterations are some 15 ms on a fast machine.
    ///
    /// - Parameter iterations: 1…``maximumIterations``.
    public static func make(_ password: [UInt8], iterations: Int = defaultIterations) -> PasswordHash {
        let iterations = min(max(iterations, 1), maximumIterations)
        let salt = secureRandom(saltLength)
        return PasswordHash(
            iterations: iterations, salt: salt,
            hash: Hash.sha512.stretched(password: password, salt: salt, iterations: iterations))
    }

    init(iterations: Int?, salt: [UInt8], hash: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.hash = hash
    }

    /// Reads what follows the user name in a password file.
    ///
    /// - Throws: what is wrong with it. The reason never holds the text itself, which may be a password.
    public init(_ text: some Collection<UInt8>) throws(PasswordFormatError) {
        let parts = text.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false).map { Array($0) }
        guard parts.count >= 3, parts[0].isEmpty else { throw PasswordFormatError(reason: PasswordFormatError.notHashed) }
        switch String(decoding: parts[1], as: UTF8.self) {
        case "6":
            guard parts.count == 4 else { throw PasswordFormatError(reason: "is not $6$salt$hash") }
            iterations = nil
        case "7":
            guard parts.count == 5 else { throw PasswordFormatError(reason: "is not $7$iterations$salt$hash") }
            guard let count = Int(String(decoding: parts[2], as: UTF8.self)), (1...PasswordHash.maximumIterations).contains(count)
            else { throw PasswordFormatError(reason: "does not have 1…\(PasswordHash.maximumIterations) iterations") }
            iterations = count
        default:
            throw PasswordFormatError(reason: "is of a kind that is not known; $6$ and $7$ are")
        }
        guard let salt = Base64.decode(parts[parts.count - 2]), (1...PasswordHash.maximumSaltLength).contains(salt.count) else {
            throw PasswordFormatError(reason: "has a salt that is not 1…\(PasswordHash.maximumSaltLength) bytes in base 64")
        }
        guard let hash = Base64.decode(parts[parts.count - 1]), hash.count == Hash.sha512.length else {
            throw PasswordFormatError(reason: "has a hash that is not \(Hash.sha512.length) bytes in base 64")
        }
        self.salt = salt
        self.hash = hash
    }

    /// Whether it is this password. Takes as long for a wrong one as for the right one.
    public func verify(_ password: [UInt8]) -> Bool {
        if let iterations {
            constantTimeEquals(Hash.sha512.stretched(password: password, salt: salt, iterations: iterations), hash)
        } else {
            constantTimeEquals(Hash.sha512.digest(password + salt), hash)
        }
    }

    public var description: String {
        let kind = iterations.map { "$7$\($0)$" } ?? "$6$"
        return kind + String(decoding: Base64.encode(salt) + [UInt8(ascii: "$")] + Base64.encode(hash), as: UTF8.self)
    }
}

/// Why a text is no hashed password; goes on a sentence that begins with "the password".
public struct PasswordFormatError: Error, Sendable, Equatable {
    public var reason: String

    static let notHashed = "is not hashed"
}
