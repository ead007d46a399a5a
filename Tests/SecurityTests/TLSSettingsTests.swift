import Core
import Security
import TestSupport
import Testing

/// Mistakes in the settings and files of TLS are found when a context is made, and said with the file and what to do.
@Suite("TLS settings")
struct TLSSettingsTests {
    @Test("a certificate that has expired, or is not yet valid, is refused with its times")
    func validity() {
        let fixture = TLSFixture()
        fixture.server.certificate = fixture.files("old", fixture.authority.issue([("CN", "old")], valid: -7200 ... -3600))
        var text = fixture.serverMistake()
        #expect(text.contains("old.pem") && text.contains("CN=old") && text.contains("has expired at"))
        fixture.server.certificate = fixture.files("new", fixture.authority.issue([("CN", "new")], valid: 3600...7200))
        text = fixture.serverMistake()
        #expect(text.contains("new.pem") && text.contains("valid only from") && text.contains("clock"))
    }

    @Test("a key that does not belong to the certificate is refused, naming both files")
    func mismatch() {
        let fixture = TLSFixture()
        let other = fixture.files("other", fixture.authority.issue([("CN", "other")]))
        fixture.server.certificate?.keyFile = other.keyFile
        let text = fixture.serverMistake()
        #expect(text.contains("other.key") && text.contains("server.pem") && text.contains("not the key"))
    }

    @Test("files that are missing, empty, of another kind or damaged are refused by name")
    func files() {
        let fixture = TLSFixture()
        let good = fixture.server.certificate
        for (text, reason) in [
            ("", "is empty"), ("hello\n", "holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "entry 1 cannot be read"),
            (fixture.authority.pem.replacing("\n", with: "\n!", maxReplacements: 3), "entry 1 cannot be read"),
        ] {
            fixture.server.certificate?.certificateFile = fixture.folder.write("bad.pem", text)
            let mistake = fixture.serverMistake()
            #expect(mistake.contains("bad.pem") && mistake.contains(reason), "\(mistake)")
        }
        fixture.server.certificate?.certificateFile = fixture.folder.path + "/absent.pem"
        #expect(fixture.serverMistake().contains("absent.pem: cannot be opened: No such file"))
        fixture.server.certificate?.certificateFile = fixture.folder.path
        #expect(fixture.serverMistake().contains("is a directory"))
        fixture.server.certificate = good
        for (text, reason) in [
            ("", "is empty"), (fixture.authority.pem, "holds no private key"),
            (fixture.clientCertificate.keyPEM(passphrase: "secret"), "is encrypted"),
            ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "cannot be read"),
        ] {
            fixture.server.certificate?.keyFile = fixture.folder.write("bad.key", text)
            let mistake = fixture.serverMistake()
            #expect(mistake.contains("bad.key") && mistake.contains(reason), "\(mistake)")
        }
        fixture.server.certificate = good
        fixture.server.clientCertificate = .required
        fixture.server.clientCAFile = fixture.folder.write("none.pem", "")
        #expect(fixture.serverMistake().contains("none.pem: is empty"))
    }

    @Test("keys that everybody may read are warnings")
    func readableKeys() throws {
        let fixture = TLSFixture()
        #expect(try fixture.serverContext().warnings == [])
        fixture.server.certificate?.keyFile = fixture.folder.write(
            "server.key", try fixture.folder.text("server.key"), mode: 0o644)
        fixture.server.pskFile = fixture.folder.write("keys.psk", "a:0011223344556677\n", mode: 0o644)
        let warnings = try fixture.serverContext().warnings
        #expect(warnings.count == 2)
        #expect(warnings.contains { $0.contains("server.key: everybody") && $0.contains("chmod 600") })
        #expect(warnings.contains { $0.contains("keys.psk: everybody") && $0.contains("chmod 600") })
    }

    @Test("a certificate that expires soon is a warning, and the first expiry is told")
    func expiry() throws {
        let fixture = TLSFixture()
        let soon = fixture.authority.issue([("CN", "soon")], valid: -3600 ... 3 * 86_400 + 3600)
        let now = SystemClock.wall()
        fixture.server.serverNames = ["soon": fixture.files("soon", soon)]
        let context = try fixture.serverContext()
        #expect(context.warnings.count == 1 && context.warnings[0].hasSuffix("soon.pem: expires in 3 days: renew it"))
        let expiry = try #require(context.certificateExpiry)
        #expect(abs(expiry.milliseconds - now.milliseconds - 262_800_000) < 60_000)
        fixture.server.certificate = nil
        fixture.server.serverNames = [:]
        fixture.server.pskFile = fixture.folder.write("keys.psk", "a:0011223344556677\n")
        #expect(try fixture.serverContext().certificateExpiry == nil)
    }

    @Test("a certificate for a host name that it does not have is a warning")
    func hostNames() throws {
        let fixture = TLSFixture()
        let named = fixture.files("named", fixture.authority.issue([("CN", "box.works")]))
        for (host, isOdd) in [("box.works", false), ("BOX.works", false), ("other.works", true), ("*.works", true)] {
            fixture.server.serverNames = [host: named]
            let warnings = try fixture.serverContext().warnings
            #expect(warnings.count == (isOdd ? 1 : 0), "\(host)")
            if isOdd { #expect(warnings[0].contains("named.pem: is not for \(host)")) }
        }
    }

    @Test("a cipher in the list of the other version is told as such")
    func wrongList() {
        let fixture = TLSFixture()
        fixture.server.ciphers = "TLS_AES_128_GCM_SHA256"
        #expect(fixture.serverMistake().hasPrefix("ciphers: ") && fixture.serverMistake().contains("for cipher-suites"))
        fixture.server.ciphers = nil
        fixture.server.cipherSuites = "ECDHE-ECDSA-AES128-GCM-SHA256"
        #expect(fixture.serverMistake().hasPrefix("cipher-suites: ") && fixture.serverMistake().hasSuffix("for ciphers"))
    }

    @Test("lists of revoked certificates have to be valid and of an authority that is trusted")
    func revocationLists() {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.server.crlFile = fixture.folder.write("crl.pem", fixture.authority.revocationList(of: [], valid: -7200 ... -3600))
        #expect(fixture.serverMistake().contains("has expired at"))
        fixture.server.crlFile = fixture.folder.write("crl.pem", TestAuthority("Other").revocationList(of: []))
        #expect(fixture.serverMistake().contains("CN=Other is of none of the authorities"))
        fixture.server.crlFile = fixture.folder.write("crl.pem", fixture.authority.pem)
        #expect(fixture.serverMistake().contains("holds no list of revoked certificates"))
    }

    @Test("names of ciphers that are not known are refused by name, also among good ones")
    func ciphers() {
        let fixture = TLSFixture()
        fixture.server.ciphers = "ECDHE+AESGCM:FOO:!aNULL"
        #expect(fixture.serverMistake().contains("cipher FOO is not known"))
        fixture.server.ciphers = "ECDHE+AESGCM:!ALL"
        #expect(fixture.serverMistake().contains("leaves no cipher"))
        fixture.server.ciphers = nil
        fixture.server.cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_FOO"
        #expect(fixture.serverMistake().contains("TLS_FOO is not known"))
        fixture.server.cipherSuites = ""
        #expect(fixture.serverMistake().contains("is empty"))
    }

    @Test("settings that contradict each other are refused")
    func contradictions() {
        let fixture = TLSFixture()
        let good = fixture.server
        fixture.server.certificate = nil
        #expect(fixture.serverMistake().contains("needs a certificate"))
        fixture.server = good
        fixture.server.clientCertificate = .optional
        #expect(fixture.serverMistake().contains("need the file of the authorities"))
        fixture.server = good
        fixture.server.clientCAFile = fixture.authorityFile
        #expect(fixture.serverMistake().contains("not asked for one"))
        fixture.server = good
        fixture.server.pskFile = fixture.folder.write("psk", "a:0011223344556677\n")
        fixture.server.cipherSuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
        #expect(fixture.serverMistake().contains("SHA256 before all others"))
        fixture.server.cipherSuites = nil
        fixture.server.clientCAFile = fixture.authorityFile
        fixture.server.clientCertificate = .required
        fixture.server.pskFile = fixture.folder.write("psk", "a:0011223344556677\n")
        #expect(fixture.serverMistake().contains("shows no certificate"))
    }

    @Test("mistakes in a file of pre-shared keys are said with their line", arguments: [
        ("", "holds no pre-shared key"), ("# a\n\nmeter\n", ":3: is not `identity"), ("a:zz\n", ":1: the key is not hexadecimal"),
        ("a:001\n", ":1: the key is not hexadecimal"), ("a:00112233\n", ":1: the key has 4 bytes"),
        (":0011223344556677\n", ":1: an identity has 1…127 bytes"),
        ("a:0011223344556677\nb:0011223344556677\na:0011223344556677\n", ":3: the identity a stands here twice"),
    ])
    func preSharedKeys(text: String, reason: String) {
        let fixture = TLSFixture()
        fixture.server.pskFile = fixture.folder.write("keys.psk", text)
        let mistake = fixture.serverMistake()
        #expect(mistake.contains("keys.psk") && mistake.contains(reason), "\(mistake)")
    }
}
