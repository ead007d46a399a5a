/// The server's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), without channel binding:
///
/// ```
///  client-first ── begin ──> user name ── look it up ── challenge ──> server-first
///  client-final ── finish ──> server-final, and the user is who it says
/// ```
public struct ScramServer: Sendable {
    private enum State {
        case new
        case begun(user: [UInt8], header: [UInt8], bare: [UInt8], nonce: [UInt8])
        case challenged(header: [UInt8], bare: [UInt8], first: [UInt8], nonce: [UInt8], verifier: ScramVerifier)
        case ended
    }

    private var state = State.new
    private let serverNonce: [UInt8]

    /// Bytes of a message of the client at most.
    public static let maximumMessage = 4096

    /// - Parameter nonce: printable ASCII without commas; a new random one if nil.
    public init(nonce: [UInt8]? = nil) { serverNonce = nonce ?? Base64.encode(secureRandom(18)) }

    /// Reads the client-first-message.
    ///
    /// - Returns: the user name, to look its verifier up.
    public mutating func begin(_ message: [UInt8]) throws(ScramError) -> [UInt8] {
        guard case .new = state else { throw .malformed("a first message where another one is due") }
        state = .ended
        guard message.count <= ScramServer.maximumMessage else { throw .malformed("the first message is too long") }
        let parts = message.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false).map { Array($0) }
        guard parts.count == 3 else { throw .malformed("the first message has no header") }
        // RFC 5802 §7: "y" is a client that could bind to the channel but does not believe that we can.
        switch parts[0].first {
        case UInt8(ascii: "n") where parts[0].count == 1, UInt8(ascii: "y") where parts[0].count == 1: break
        case UInt8(ascii: "p"): throw .malformed("channel binding is not supported")
        default: throw .malformed("the first message has no channel-binding flag")
        }
        let bare = parts[2]
        let attributes = bare.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { Array($0) }
        // RFC 5802 §5.1: an extension that is not understood, "m", ends the exchange.
        guard attributes.count >= 2, let name = attributes[0].value(of: "n"), let nonce = attributes[1].value(of: "r") else {
            throw .malformed("the first message does not begin with user name and nonce")
        }
        guard !nonce.isEmpty, nonce.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .malformed("the nonce is not printable") }
        guard let user = ScramServer.unescaped(name), !user.isEmpty, !user.contains(0),
            String(validating: user, as: UTF8.self) != nil
        else { throw .malformed("the user name is empty or not escaped") }
        if !parts[1].isEmpty {
            // Who acts for another user needs a right to it, which nobody has here.
            guard parts[1].value(of: "a").flatMap(ScramServer.unescaped) == user else {
                throw .malformed("acting for another user is not supported")
            }
        }
        state = .begun(
            user: user, header: parts[0] + Array(",".utf8) + parts[1] + Array(",".utf8), bare: bare, nonce: nonce + serverNonce)
        return user
    }

    /// The server-first-message.
    ///
    /// - Parameter verifier: that of the user; for one that does not exist a decoy of ``PasswordFile/scramVerifier(of:)``.
    public mutating func challenge(_ verifier: ScramVerifier) throws(ScramError) -> [UInt8] {
        guard case .begun(_, let header, let bare, let nonce) = state else {
            throw .malformed("a challenge without a first message")
        }
        let first =
            Array("r=".utf8) + nonce + Array(",s=".utf8) + Base64.encode(verifier.salt) + Array(",i=\(verifier.iterations)".utf8)
        state = .challenged(header: header, bare: bare, first: first, nonce: nonce, verifier: verifier)
        return first
    }

    /// Reads the client-final-message.
    ///
    /// - Returns: the server-final-message, which shows the client that the server knows its password too.
    /// - Throws: ``ScramError/refused`` if the client does not have the password.
    public mutating func finish(_ message: [UInt8]) throws(ScramError) -> [UInt8] {
        guard case .challenged(let header, let bare, let first, let nonce, let verifier) = state else {
            throw .malformed("a last message where another one is due")
        }
        state = .ended
        guard message.count <= ScramServer.maximumMessage else { throw .malformed("the last message is too long") }
        let attributes = message.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { Array($0) }
        guard attributes.count >= 3, let binding = attributes[0].value(of: "c"), let echoed = attributes[1].value(of: "r"),
            let last = attributes.last, let proof = last.value(of: "p").flatMap({ Base64.decode($0) }),
            proof.count == Hash.sha256.length
        else { throw .malformed("the last message has no channel binding, nonce and proof") }
        // The header once more, which nobody may have changed on its way.
        guard Base64.decode(binding) == header else { throw .malformed("the channel binding is not that of the first message") }
        guard constantTimeEquals(echoed, nonce) else { throw .malformed("the nonce is not that of the challenge") }
        let withoutProof = message.dropLast(last.count + 1)
        let comma = Array(",".utf8)
        let authMessage = bare + comma + first + comma + withoutProof
        let signature = Hash.sha256.authenticationCode(of: authMessage, key: verifier.storedKey)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        guard constantTimeEquals(Hash.sha256.digest(clientKey), verifier.storedKey) else { throw .refused }
        return Array("v=".utf8) + Base64.encode(Hash.sha256.authenticationCode(of: authMessage, key: verifier.serverKey))
    }

    /// `=2C` is a comma and `=3D` an equals sign; any other use of `=` is a mistake. (RFC 5802 §5.1)
    private static func unescaped(_ name: [UInt8]) -> [UInt8]? {
        var user: [UInt8] = []
        var at = 0
        while at < name.count {
            if name[at] != UInt8(ascii: "=") {
                user.append(name[at])
                at += 1
                continue
            }
            switch name[(at + 1)...].prefix(2) {
            case [UInt8(ascii: "2"), UInt8(ascii: "C")]: user.append(UInt8(ascii: ","))
            case [UInt8(ascii: "3"), UInt8(ascii: "D")]: user.append(UInt8(ascii: "="))
            default: return nil
            }
            at += 3
        }
        return user
    }
}

/// Why a SCRAM exchange ended.
public enum ScramError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The client does not keep to the protocol.
    case malformed(String)
    /// The user does not exist, or the password is wrong; nobody is told which.
    case refused

    public var description: String {
        switch self {
        case .malformed(let reason): "SCRAM: \(reason)"
        case .refused: "SCRAM: wrong user name or password"
        }
    }
}

extension [UInt8] {
    /// What follows `name=`; nil if it is another attribute.
    fileprivate func value(of name: Unicode.Scalar) -> [UInt8]? {
        guard count >= 2, self[0] == UInt8(ascii: name), self[1] == UInt8(ascii: "=") else { return nil }
        return Array(self[2...])
    }
}
