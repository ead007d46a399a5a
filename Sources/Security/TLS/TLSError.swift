/// Why TLS cannot be offered, or why a connection ended; the cases are what the caller can do about it.
public enum TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The settings or the files they name cannot be used. The text names the file and says what to do.
    case configuration(String)
    /// The handshake failed: the peer is refused, or refuses us. The connection is over.
    case handshake(String)
    /// The peer broke the protocol after the handshake. The connection is over.
    case connection(String)

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .handshake(let text): "TLS handshake failed: \(text)"
        case .connection(let text): "TLS connection failed: \(text)"
        }
    }
}
