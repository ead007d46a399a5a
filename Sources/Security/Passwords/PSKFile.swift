/// Pre-shared keys in mosquitto's format: `identity:key` in each line, the key in hexadecimal. Empty lines and those that
/// begin with `#` mean nothing.
public struct PSKFile: Sendable {
    /// Keys by the identity's bytes.
    let keys: [[UInt8]: [UInt8]]
    /// SHA-256 of the file.
    let digest: [UInt8]

    /// Bytes of a file at most.
    static let limit = 4 << 20
    /// Bytes that OpenSSL takes of an identity and of a key.
    private static let identityLimit = 127
    private static let keyLimits = 8...64

    /// - Throws: ``TLSError/configuration(_:)`` with file and line.
    public init(path: String) throws(TLSError) {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, limit: PSKFile.limit)
        } catch {
            throw .configuration(error.description)
        }
        digest = Hash.sha256.digest(bytes)
        var keys: [[UInt8]: [UInt8]] = [:]
        for line in TextLines(bytes) {
            let place = "\(path):\(line.number)"
            guard let colon = line.bytes.lastIndex(of: UInt8(ascii: ":")) else {
                throw .configuration("\(place): is not `identity:hexadecimal key`")
            }
            let identity = Array(line.bytes[..<colon])
            guard let key = Hexadecimal.decode(line.bytes[(colon + 1)...]) else {
                throw .configuration("\(place): the key is not hexadecimal digits, two for each byte")
            }
            try PSKFile.check(identity: identity, key: key, place: place)
            guard keys.updateValue(key, forKey: identity) == nil else {
                throw .configuration("\(place): the identity \(String(decoding: identity, as: UTF8.self)) stands here twice")
            }
        }
        if keys.isEmpty { throw .configuration("\(path): holds no pre-shared key; a line is `identity:hexadecimal key`") }
        self.keys = keys
    }

    /// What should be mended about a file of keys, a sentence each.
    static func warnings(_ path: String) -> [String] {
        guard SmallFile.isReadableByAll(path) else { return [] }
        return ["\(path): everybody on this machine can read the pre-shared keys; chmod 600 \(path)"]
    }

    /// The number of identities.
    public var count: Int { keys.count }

    static func check(identity: [UInt8], key: [UInt8], place: String) throws(TLSError) {
        guard (1...identityLimit).contains(identity.count), !identity.contains(0) else {
            throw .configuration("\(place): an identity has 1…\(identityLimit) bytes, none of them 0")
        }
        guard keyLimits.contains(key.count) else {
            throw .configuration(
                "\(place): the key has \(key.count) bytes; \(keyLimits.lowerBound)…\(keyLimits.upperBound) are possible, 32 are good: openssl rand -hex 32")
        }
    }
}
