internal import COpenSSL

/// What a client needs to come back to a server without a full handshake. It is secret.
///
/// `@unchecked Sendable`: OpenSSL does not change it after it is made, and counts its references atomically.
public final class TLSSession: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over a reference.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { SSL_SESSION_free(pointer) }
}
