import ArgumentParser
import Security

/// How the connection is secured.
struct TLSOptions: ParsableArguments {
    @Flag(name: .customLong("tls"), help: "TLS, with the certificate authorities that this machine trusts.")
    var usesTLS = false

    @Option(help: "TLS, with the certificate authorities of a file in PEM.")
    var cafile: String?

    @Option(help: "The certificate to show to the broker, with its chain, in PEM.")
    var cert: String?

    @Option(help: "The private key of --cert, in PEM.")
    var key: String?

    @Flag(help: "Takes a certificate of any host name: whoever has one of the authority's can be the broker.")
    var insecure = false

    @Option(help: "TLS with a pre-shared key in hexadecimal, in place of certificates.")
    var psk: String?

    @Option(help: "The name of the pre-shared key.")
    var pskIdentity: String?

    @Option(help: "Only this version: tlsv1.2 or tlsv1.3 (default: both).")
    var tlsVersion: TLSVersionArgument?

    @Option(help: "OpenSSL's list of ciphers for TLS 1.2.")
    var ciphers: String?

    @Option(help: "A protocol name to offer (ALPN).")
    var tlsAlpn: String?

    mutating func validate() throws {
        guard (cert == nil) == (key == nil) else { throw ValidationError("--cert and --key belong together") }
        guard (psk == nil) == (pskIdentity == nil) else { throw ValidationError("--psk and --psk-identity belong together") }
        guard psk == nil || (cafile == nil && cert == nil) else {
            throw ValidationError("a pre-shared key takes the place of certificates: give --psk or --cafile and --cert")
        }
        if let psk, TLSOptions.bytes(psk) == nil { throw ValidationError("--psk is an even number of hexadecimal digits") }
    }

    /// Whether the options ask for TLS, whatever the broker's URL says.
    var isWanted: Bool { usesTLS || cafile != nil || cert != nil || psk != nil }

    /// What all connections have in common.
    var configuration: TLSClientConfiguration {
        var configuration = TLSClientConfiguration(verifiesHost: !insecure, ciphers: ciphers, alpn: tlsAlpn.map { [$0] } ?? [])
        if let cafile { configuration.trust = .file(cafile) }
        if let cert, let key { configuration.certificate = TLSCertificateFiles(certificateFile: cert, keyFile: key) }
        if let psk, let pskIdentity, let bytes = TLSOptions.bytes(psk) {
            configuration.preSharedKey = TLSClientConfiguration.PreSharedKey(identity: pskIdentity, key: bytes)
        }
        if let tlsVersion {
            configuration.minimumVersion = tlsVersion.version
            configuration.maximumVersion = tlsVersion.version
        }
        return configuration
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8]? {
        let digits = Array(hexadecimal.utf8)
        guard !digits.isEmpty, digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[start..<start + 2], as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}

/// A version of TLS as the commands name it.
struct TLSVersionArgument: ExpressibleByArgument {
    var version: TLSVersion

    init?(argument: String) {
        switch argument {
        case "tlsv1.2": version = .v12
        case "tlsv1.3": version = .v13
        default: return nil
        }
    }
}
