/// Users and their hashed passwords, `user:hash` in each line. Empty lines and those that begin with `#` mean nothing.
///
/// A hash is mosquitto_passwd's (``PasswordHash``) or a ``ScramVerifier``; with the latter the user may also send the
/// password plainly.
public struct PasswordFile: Sendable {
    enum Credential: Sendable, Equatable {
        case hash(PasswordHash)
        case scram(ScramVerifier)
    }

    /// SHA-256 of the file.
    public let digest: [UInt8]
    private let users: [[UInt8]: Credential]
    /// What an unknown user is compared with, so that it takes as long as a known one.
    private let decoy: Credential
    private let scramModel: ScramVerifier?
    /// What can be used but should be mended, a sentence each.
    public let warnings: [String]

    /// Bytes of a file at most: some 100,000 users.
    static let limit = 16 << 20
    /// MQTT's limit of a user name.
    private static let nameLimit = 65_535

    /// Reads all of a file, so it may wait for a disk.
    public init(path: String) throws(PasswordFileError) {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, limit: PasswordFile.limit)
        } catch {
            throw PasswordFileError(path: error.path, line: nil, reason: error.reason)
        }
        try self.init(
            bytes, path: path,
            warnings: SmallFile.isReadableByAll(path)
                ? ["\(path): everybody on this machine can read the passwords' hashes; chmod 600 \(path)"] : [])
    }

    /// - Parameter path: for the errors.
    init(_ bytes: [UInt8], path: String, warnings: [String] = []) throws(PasswordFileError) {
        var users: [[UInt8]: Credential] = [:]
        for line in TextLines(bytes) {
            do throws(PasswordFormatError) {
                let (user, credential) = try PasswordFile.parse(line.bytes)
                guard users.updateValue(credential, forKey: user) == nil else {
                    throw PasswordFormatError(reason: "the user \(String(decoding: user, as: UTF8.self)) stands here twice")
                }
            } catch {
                throw PasswordFileError(path: path, line: line.number, reason: error.reason)
            }
        }
        digest = Hash.sha256.digest(bytes)
        self.users = users
        self.warnings = warnings
        // The dearest of them, so that no user is slower than one that does not exist.
        let dearest = users.values.compactMap { if case .hash(let hash) = $0 { hash.iterations ?? 1 } else { nil } }.max()
        scramModel = users.values.lazy.compactMap { if case .scram(let verifier) = $0 { verifier } else { nil } }.first
        decoy =
            if dearest == nil, let scramModel {
                .scram(ScramVerifier.decoy(for: [], like: scramModel))
            } else {
                .hash(
                    PasswordHash(
                        iterations: dearest ?? PasswordHash.defaultIterations, salt: secureRandom(12), hash: secureRandom(64)))
            }
    }

    /// The number of users.
    public var count: Int { users.count }

    /// Whether the file has the user.
    public func contains(user: [UInt8]) -> Bool { users[user] != nil }

    /// Whether a user has what SCRAM needs.
    public func hasScramVerifier(user: [UInt8]) -> Bool {
        if case .scram = users[user] { true } else { false }
    }

    /// Whether the user has this password. Takes a while, for an unknown user too: call it where waiting is no harm.
    public func verify(user: [UInt8], password: [UInt8]) -> Bool {
        let credential = users[user]
        let fits =
            switch credential ?? decoy {
            case .hash(let hash): hash.verify(password)
            case .scram(let verifier): verifier.verify(password)
            }
        return fits && credential != nil
    }

    /// What a SCRAM exchange with the user needs; for a user that does not exist, or has no verifier, one that no password
    /// fits.
    public func scramVerifier(of user: [UInt8]) -> ScramVerifier {
        if case .scram(let verifier) = users[user] { return verifier }
        return ScramVerifier.decoy(for: user, like: scramModel)
    }

    /// One line: the user, and what is kept of its password.
    static func parse(_ line: ArraySlice<UInt8>) throws(PasswordFormatError) -> (user: [UInt8], credential: Credential) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw PasswordFormatError(reason: "the line is not `user:hash`")
        }
        let user = Array(line[..<colon])
        try check(user: user)
        let text = line[(colon + 1)...]
        do throws(PasswordFormatError) {
            if ScramVerifier.isMeant(by: text) { return (user, .scram(try ScramVerifier(text))) }
            return (user, .hash(try PasswordHash(text)))
        } catch {
            let name = String(decoding: user, as: UTF8.self)
            throw PasswordFormatError(
                reason: "the password of \(name) \(error.reason); set it anew with `martlet passwd FILE \(name)`")
        }
    }

    /// Whether a name can stand in the file.
    static func check(user: [UInt8]) throws(PasswordFormatError) {
        guard (1...nameLimit).contains(user.count) else { throw PasswordFormatError(reason: "the user name is empty or too long") }
        guard String(validating: user, as: UTF8.self) != nil, user.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: ":") }),
            user[0] != UInt8(ascii: "#"), user[0] != 0x20, user.last != 0x20
        else {
            throw PasswordFormatError(
                reason: "the user name is not UTF-8, has a colon or a control character, or begins with # or a space")
        }
    }
}

/// Why a password file cannot be used.
public struct PasswordFileError: Error, Sendable, Equatable, CustomStringConvertible {
    public var path: String
    /// Counted from 1; nil if it is the file itself.
    public var line: Int?
    public var reason: String

    public var description: String { line.map { "\(path):\($0): \(reason)" } ?? "\(path): \(reason)" }
}
