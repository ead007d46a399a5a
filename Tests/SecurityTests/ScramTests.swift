import TestSupport
import Testing

@testable import Security

@Suite("SCRAM-SHA-256")
struct ScramTests {
    /// The example of RFC 7677 §3.
    static let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    static let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    static let serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    static let clientFinal =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    static let verifier = ScramVerifier(
        password: Array("pencil".utf8), iterations: 4096, salt: Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==".utf8))

    @Test("the example of RFC 7677 comes out")
    func example() throws {
        var server = ScramServer(nonce: Array(ScramTests.nonce.utf8))
        #expect(try server.begin(Array(ScramTests.clientFirst.utf8)) == Array("user".utf8))
        #expect(try String(decoding: server.challenge(ScramTests.verifier), as: UTF8.self) == ScramTests.serverFirst)
        #expect(try String(decoding: server.finish(Array(ScramTests.clientFinal.utf8)), as: UTF8.self) == ScramTests.serverFinal)
    }

    @Test("a client with the password gets in, whatever its header says of channels", arguments: ["n,,", "y,,", "n,a=us=2Cer,"])
    func headers(header: String) throws {
        #expect(try exchange(header: header, name: "us=2Cer", password: "pencil") == "us,er")
    }

    @Test("a wrong password is refused")
    func wrong() {
        #expect(throws: ScramError.refused) { try exchange(password: "pencils") }
    }

    @Test("any change to a message on its way is noticed")
    func tampering() throws {
        #expect(throws: ScramError.malformed("the channel binding is not that of the first message")) {
            try exchange(header: "y,,", binding: "n,,")
        }
        #expect(throws: ScramError.malformed("the nonce is not that of the challenge")) { try exchange { $0 + "x" } }
        for bytes in Array(ScramTests.clientFinal.utf8).bitFlips {
            var server = ScramServer(nonce: Array(ScramTests.nonce.utf8))
            _ = try server.begin(Array(ScramTests.clientFirst.utf8))
            _ = try server.challenge(ScramTests.verifier)
            #expect(throws: ScramError.self) { try server.finish(bytes) }
        }
    }

    @Test("first messages that are not to be believed are refused", arguments: [
        "", ",", "n", "n,,", "n,,n=user", "n,,r=abc,n=user", "p=tls-unique,,n=user,r=abc", "x,,n=user,r=abc", "nn,,n=user,r=abc",
        "n,a=other,n=user,r=abc", "n,,m=x,n=user,r=abc", "n,,n=us=er,r=abc", "n,,n=user=,r=abc", "n,,n=,r=abc", "n,,n=user,r=",
        "n,,n=user,r=a c", "n,,n=user,r=a\u{1}",
    ])
    func firstMessages(text: String) {
        var server = ScramServer()
        #expect(throws: ScramError.self) { try server.begin(Array(text.utf8)) }
        // The exchange is over.
        #expect(throws: ScramError.self) { try server.begin(Array(ScramTests.clientFirst.utf8)) }
        #expect(throws: ScramError.self) { try server.challenge(ScramTests.verifier) }
        #expect(throws: ScramError.self) { try server.finish(Array(ScramTests.clientFinal.utf8)) }
    }

    @Test("noise never traps")
    func noise() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("SCRAM noise: seed \(seed)")
        var random = SeededRandom(seed: seed)
        let letters = Array("n,=racpmy2C3DA/+\u{0}é".utf8)
        for _ in 0..<5000 {
            var server = ScramServer()
            func some() -> [UInt8] { (0..<random.below(40)).map { _ in letters[random.below(letters.count)] } }
            _ = try? server.begin(random.once(in: 3) ? Array(ScramTests.clientFirst.utf8) : some())
            _ = try? server.challenge(ScramTests.verifier)
            _ = try? server.finish(some())
        }
    }

    @Test("an unknown user gets a challenge like any other, always the same, and is refused at its end")
    func unknown() throws {
        let file = try PasswordFile(Array("user:\(ScramVerifier(password: [1], iterations: 5000))\n".utf8), path: "f")
        let real = file.scramVerifier(of: Array("user".utf8))
        let decoy = file.scramVerifier(of: Array("nobody".utf8))
        #expect(decoy.iterations == 5000 && decoy.salt.count == real.salt.count)
        #expect(file.scramVerifier(of: Array("nobody".utf8)) == decoy)
        #expect(file.scramVerifier(of: Array("somebody".utf8)).salt != decoy.salt)
        #expect(throws: ScramError.refused) { try exchange(verifier: decoy) }
        #expect(file.verify(user: Array("user".utf8), password: [1]))
        #expect(!file.verify(user: Array("nobody".utf8), password: [1]))
    }

    @Test("a verifier is written and read the same")
    func text() throws {
        let verifier = ScramVerifier(password: Array("x".utf8), iterations: 10)
        #expect(try ScramVerifier(verifier.description.utf8) == verifier)
        #expect(verifier.verify(Array("x".utf8)) && !verifier.verify(Array("y".utf8)))
        #expect(ScramTests.verifier.description.hasPrefix("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"))
    }

    /// A whole exchange. Returns the user.
    private func exchange(
        header: String = "n,,", name: String = "user", password: String = "pencil", binding: String? = nil,
        verifier: ScramVerifier = ScramTests.verifier, nonce change: (String) -> String = { $0 }
    ) throws -> String {
        var server = ScramServer()
        let bare = "n=\(name),r=abc"
        let user = try server.begin(Array((header + bare).utf8))
        let first = String(decoding: try server.challenge(verifier), as: UTF8.self)
        let nonce = first.split(separator: ",")[0].dropFirst(2)
        let encoded = String(decoding: Base64.encode((binding ?? header).utf8), as: UTF8.self)
        let withoutProof = "c=\(encoded),r=\(change(String(nonce)))"
        let authMessage = Array("\(bare),\(first),\(withoutProof)".utf8)
        let salted = Hash.sha256.stretched(
            password: Array(password.utf8), salt: verifier.salt, iterations: verifier.iterations)
        let clientKey = Hash.sha256.authenticationCode(of: Array("Client Key".utf8), key: salted)
        let signature = Hash.sha256.authenticationCode(of: authMessage, key: Hash.sha256.digest(clientKey))
        let proof = String(decoding: Base64.encode(zip(clientKey, signature).map { $0 ^ $1 }), as: UTF8.self)
        let final = String(decoding: try server.finish(Array("\(withoutProof),p=\(proof)".utf8)), as: UTF8.self)
        let serverKey = Hash.sha256.authenticationCode(of: Array("Server Key".utf8), key: salted)
        let expected = Base64.encode(Hash.sha256.authenticationCode(of: authMessage, key: serverKey))
        #expect(final == "v=" + String(decoding: expected, as: UTF8.self))
        return String(decoding: user, as: UTF8.self)
    }
}
