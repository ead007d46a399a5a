internal import COpenSSL

/// The hash functions that passwords and sessions need.
public enum Hash: Sendable {
    case sha256, sha512
    /// For the handshake of WebSocket, which asks for it and trusts nothing to it.
    case sha1

    /// Bytes of a digest.
    public var length: Int {
        switch self {
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    private var algorithm: OpaquePointer? {
        switch self {
        case .sha1: EVP_sha1()
        case .sha256: EVP_sha256()
        case .sha512: EVP_sha512()
        }
    }

    public func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: length)
        let done = EVP_Digest(bytes, bytes.count, &digest, nil, algorithm, nil)
        precondition(done == 1, "a digest fails only without memory")
        return digest
    }

    /// HMAC (RFC 2104).
    public func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: length)
        // OpenSSL takes a null key for "the one of before".
        let done = (key.isEmpty ? [0] : key).withUnsafeBufferPointer { padded in
            HMAC(algorithm, padded.baseAddress, Int32(key.count), bytes, bytes.count, &code, nil)
        }
        precondition(done != nil, "an authentication code fails only without memory")
        return code
    }

    /// PBKDF2 with HMAC (RFC 8018 §5.2), as many bytes as a digest has.
    ///
    /// - Parameter iterations: at least 1.
    public func stretched(password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: length)
        let done = password.withUnsafeBytes { password in
            PKCS5_PBKDF2_HMAC(
                password.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(password.count), salt, Int32(salt.count),
                Int32(clamping: iterations), algorithm, Int32(key.count), &key)
        }
        precondition(done == 1, "a key derivation fails only without memory")
        return key
    }
}
