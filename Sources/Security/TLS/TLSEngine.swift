internal import COpenSSL
public import NIOCore

/// One end of a TLS connection without a channel: takes the peer's bytes, gives bytes for the peer.
///
/// ```
///  peer's bytes ── receive ──> plaintext            output ── takeOutput ──> bytes for the peer
///                     │                               ▲
///                     └── handshake, alerts ──────────┤
///                                    send(plaintext) ─┘
/// ```
///
/// Everything that is received is taken at once; OpenSSL keeps at most the part of a record (16 KiB) whose rest has not
/// come. An engine that is idle keeps no buffers. Belongs to one thread at a time.
public final class TLSEngine {
    public enum State: Sendable {
        case handshaking
        /// Data may be sent and received.
        case open
        /// Ended by either side, or failed. What arrives is ignored.
        case closed
    }

    public private(set) var state = State.handshaking
    let context: TLSContext
    private let ssl: OpaquePointer
    /// What was received and not yet taken; only during a call of ``receive(_:into:)``.
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    private var output = ByteBuffer()
    private var helloGuard = HelloGuard()
    /// Why a callback refused the peer.
    var refusal: String?
    /// The server has asked for a certificate, and this client has none.
    var lacksCertificate = false
    /// What a client calls the server.
    let serverName: String?

    /// - Parameter serverName: for a client the host name or IP address of the server, which its certificate is compared with
    ///   and which it is told (SNI). Ignored by a server.
    /// - Throws: ``TLSError/configuration(_:)`` if there is no memory, or a client has no name to compare.
    public init(context: TLSContext, serverName: String? = nil) throws(TLSError) {
        OpenSSLLibrary.clearErrors()
        guard let ssl = SSL_new(context.main.pointer) else {
            throw .configuration("TLS cannot be started: \(OpenSSLLibrary.takeReason())")
        }
        self.context = context
        self.serverName = serverName
        self.ssl = ssl
        // OpenSSL frees the BIO with the SSL; both end before this engine does.
        guard let bio = TLSTransport.make(for: self) else { throw .configuration("no memory for a TLS connection") }
        SSL_set_bio(ssl, bio, bio)
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        if context.isServer {
            SSL_set_accept_state(ssl)
        } else {
            SSL_set_connect_state(ssl)
            try name(serverName)
        }
    }

    deinit {
        // Else OpenSSL would take a lost connection for an attack, and its session would be worth nothing.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
    }

    /// Begins the handshake of a client; a server waits for its client.
    public func start() throws(TLSError) {
        if state == .handshaking, !context.isServer { try handshake() }
    }

    /// Takes bytes of the peer, all of them. Appends what they say to `plaintext`; what they ask to be sent is in the output.
    ///
    /// - Throws: the reason of the connection's end. The output may then hold an alert for the peer.
    public func receive(_ bytes: UnsafeRawBufferPointer, into plaintext: inout ByteBuffer) throws(TLSError) {
        guard state != .closed else { return }
        input = bytes
        defer { input = UnsafeRawBufferPointer(start: nil, count: 0) }
        if state == .handshaking {
            if context.isServer, !helloGuard.permits(bytes) {
                state = .closed
                throw .handshake("the client's first message claims to be larger than \(HelloGuard.limit) bytes")
            }
            try handshake()
        }
        if state == .open { try readRecords(into: &plaintext) }
    }

    /// Encrypts data into the output. To be called while ``state-swift.property`` is open.
    ///
    /// - Throws: if the connection is not open, or OpenSSL fails.
    public func send(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
        guard state == .open else { throw .connection("it is not open") }
        guard let base = plaintext.baseAddress, !plaintext.isEmpty else { return }
        // Each record adds a header, a tag and what pads it.
        output.reserveCapacity(minimumWritableBytes: plaintext.count + (plaintext.count / 16_384 + 1) * 64)
        OpenSSLLibrary.clearErrors()
        var written = 0
        guard SSL_write_ex(ssl, base, plaintext.count, &written) == 1 else { throw failure() }
    }

    /// Says goodbye to the peer, if the connection is open.
    public func close() {
        if state == .open {
            OpenSSLLibrary.clearErrors()
            SSL_shutdown(ssl)
        }
        state = .closed
    }

    /// What is to be sent to the peer; nil if there is nothing.
    public func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        defer { output = ByteBuffer() }
        return output
    }

    /// Whether the peer is who it says it is; stays true when the connection ends.
    public private(set) var isHandshakeComplete = false

    /// What is known of the peer; nil before the handshake is complete. Made anew each time.
    public var peer: TLSPeer? { isHandshakeComplete ? TLSPeer(ssl) : nil }

    /// What a client comes back with later; nil for a server, and before the server has given a ticket, which may be with its
    /// first data.
    public var session: TLSSession? {
        guard !context.isServer, let pointer = SSL_get1_session(ssl) else { return nil }
        let session = TLSSession(owning: pointer)
        return SSL_SESSION_is_resumable(pointer) == 1 ? session : nil
    }

    /// Offers a session of an earlier connection to the same server; before ``start()``.
    public func resume(_ session: TLSSession) {
        if !context.isServer, state == .handshaking { SSL_set_session(ssl, session.pointer) }
    }

    // MARK: OpenSSL's side

    static func of(_ ssl: OpaquePointer?) -> TLSEngine? {
        SSL_get_ex_data(ssl, 0).map { Unmanaged<TLSEngine>.fromOpaque($0).takeUnretainedValue() }
    }

    func takeInput(_ to: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(to.count, input.count)
        to.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }

    func addOutput(_ bytes: UnsafeRawBufferPointer) { output.writeBytes(bytes) }

    func preSharedKey(of identity: [UInt8]) -> [UInt8]? {
        if let key = context.preSharedKeys[identity] { return key }
        // Not the reason of a failure if it is a ticket, so only what can be an identity is kept for the log.
        if identity.count <= 127, let text = String(validating: identity, as: UTF8.self) {
            refusal = "no pre-shared key has the identity \(text.debugDescription)"
        }
        return nil
    }

    // MARK: Steps

    private func name(_ serverName: String?) throws(TLSError) {
        guard let serverName, !serverName.isEmpty, !serverName.utf8.contains(0) else {
            if context.verifiesHost { throw .configuration("the server's certificate cannot be compared with a name: none is given") }
            return
        }
        let parameters = SSL_get0_param(ssl)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, serverName) == 1 {
            // RFC 6066 §3: addresses are not sent as names.
            if !context.verifiesHost { X509_VERIFY_PARAM_set1_ip(parameters, nil, 0) }
            return
        }
        OpenSSLLibrary.clearErrors()
        _ = copenssl_set_tlsext_host_name(ssl, serverName)
        guard context.verifiesHost else { return }
        SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard SSL_set1_host(ssl, serverName) == 1 else {
            throw .configuration("\(serverName) is no host name: \(OpenSSLLibrary.takeReason())")
        }
    }

    private func handshake() throws(TLSError) {
        OpenSSLLibrary.clearErrors()
        let result = SSL_do_handshake(ssl)
        if result != 1 {
            if SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ { return }
            throw failure()
        }
        refusal = nil
        // A resumed session's certificate was verified when the session was made.
        if context.isServer, SSL_session_reused(ssl) == 1, let pointer = SSL_get0_peer_certificate(ssl),
            X509_cmp_time(X509_get0_notAfter(pointer), nil) < 0
        {
            state = .closed
            throw .handshake("the peer's certificate has expired since the session was made")
        }
        state = .open
        isHandshakeComplete = true
    }

    private func readRecords(into plaintext: inout ByteBuffer) throws(TLSError) {
        while !input.isEmpty || SSL_has_pending(ssl) == 1 {
            OpenSSLLibrary.clearErrors()
            let room = max(Int(SSL_pending(ssl)), min(input.count, 16_384), 64)
            var result: Int32 = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { to in
                var count = 0
                result = SSL_read_ex(ssl, to.baseAddress, to.count, &count)
                return result == 1 ? count : 0
            }
            if result == 1 { continue }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return
            case SSL_ERROR_ZERO_RETURN:
                close()
                return
            default: throw failure()
            }
        }
    }

    /// Ends the connection, and says why in words.
    private func failure() -> TLSError {
        let isHandshake = state == .handshaking
        state = .closed
        let reason = TLSReason.takeWords(self)
        return isHandshake ? .handshake(refusal ?? reason) : .connection(reason)
    }
}
