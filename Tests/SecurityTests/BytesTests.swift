import TestSupport
import Testing

@testable import Security

@Suite("Hashes and encodings")
struct BytesTests {
    @Test("base 64 is as in RFC 4648 §10", arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func base64(text: String, encoded: String) {
        #expect(Base64.encode(text.utf8) == Array(encoded.utf8))
        #expect(Base64.decode(encoded.utf8) == Array(text.utf8))
    }

    @Test("base 64 that has another form is refused", arguments: ["Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zg==Zg==", "Zm9v\n"])
    func base64Refused(text: String) { #expect(Base64.decode(text.utf8) == nil) }

    @Test("random bytes go through base 64 and back")
    func base64RoundTrip() {
        var random = SeededRandom(seed: 5)
        for count in 0..<300 {
            let bytes = random.bytes(count)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test("hashes are those of FIPS 180-4, RFC 4231 and RFC 7914")
    func hashes() {
        #expect(Hash.sha256.digest(Array("abc".utf8)) == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(Hash.sha512.digest(Array("abc".utf8)).prefix(8) == hex("ddaf35a193617aba")[...])
        #expect(
            Hash.sha256.authenticationCode(of: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
                == hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
        #expect(
            Hash.sha256.authenticationCode(of: [], key: [])
                == hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"))
        #expect(
            Hash.sha256.stretched(password: Array("passwd".utf8), salt: Array("salt".utf8), iterations: 1)
                == hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"))
    }

    @Test("byte strings are equal if all of their bytes are")
    func equality() {
        #expect(constantTimeEquals([], []) && constantTimeEquals([1, 2], [1, 2]))
        #expect(!constantTimeEquals([1], [1, 2]) && !constantTimeEquals([1, 3], [1, 2]))
    }

    @Test("random bytes are as many as asked for, and never the same")
    func random() {
        #expect(secureRandom(0) == [] && secureRandom(32).count == 32 && secureRandom(32) != secureRandom(32))
    }

    private func hex(_ text: String) -> [UInt8] { Hexadecimal.decode(Array(text.utf8)[...]) ?? [] }
}
