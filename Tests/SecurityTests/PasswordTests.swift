import TestSupport
import Testing

@testable import Security

@Suite("Passwords")
struct PasswordTests {
    /// Made by mosquitto_passwd 2.0.11.
    static let mosquitto = """
        alice:$7$101$4wfFCUw4QMbjipgJ$a/2onY31IPdb2O7Aw4wB4tlCG4YqcXiCEPwYNP0qu4sPYW00StCwtjmYwhY6e1DLBKqB/0Xv2ltqONOKOf8tww==
        bob:$6$Dq2FsB6GZV8Omwgf$/glj1zbXkGyZAyzVC8CVJTTUWV6e4WvZG/M2lw+OR/Z8l4+C1ye6xbppliDPxq+F2yXCQtvMcykLV1fga//zDA==

        """

    @Test("what mosquitto_passwd has written is read, verified and written the same")
    func compatible() throws {
        let file = try PasswordFile(Array(PasswordTests.mosquitto.utf8), path: "f")
        #expect(file.count == 2)
        #expect(file.verify("alice", "secret1") && file.verify("bob", "secret2"))
        #expect(!file.verify("alice", "secret2") && !file.verify("bob", "secret1") && !file.verify("carol", "secret1"))
        #expect(!file.verify("alice", "") && !file.verify("", ""))
        for line in PasswordTests.mosquitto.split(separator: "\n") {
            let text = line.drop { $0 != ":" }.dropFirst()
            #expect(try PasswordHash(text.utf8).description == text)
        }
    }

    @Test("a new hash fits its password only, and no two are the same")
    func new() throws {
        let hash = PasswordHash.make(Array("pässword".utf8), iterations: 10)
        #expect(hash.verify(Array("pässword".utf8)) && !hash.verify(Array("passwort".utf8)))
        #expect(hash.description.hasPrefix("$7$10$"))
        #expect(try PasswordHash(hash.description.utf8) == hash)
        #expect(PasswordHash.make(Array("pässword".utf8), iterations: 10) != hash)
        #expect(PasswordHash.make([], iterations: 1).verify([]))
    }

    @Test("lines that cannot be used are refused with file and line, and the text of a password is never told", arguments: [
        ("bob:hunter2", 1, "the password of bob is not hashed; set it anew with `martlet passwd FILE bob`"),
        ("# c\n\nbob:$9$a$b", 3, "kind that is not known"), ("bob", 1, "is not `user:hash`"), (":$6$a$b", 1, "user name is empty"),
        ("bob:$7$0$AAAA$AAAA", 1, "1…1000000 iterations"), ("bob:$7$99999999$AAAA$AAAA", 1, "1…1000000 iterations"),
        ("bob:$7$x$AAAA$AAAA", 1, "1…1000000 iterations"), ("bob:$6$!$AAAA", 1, "has a salt"), ("bob:$6$AAAA$AAAA", 1, "has a hash"),
        ("bob:$6$AAAA", 1, "is not $6$salt$hash"), ("bob:$7$1$AAAA", 1, "is not $7$"), ("bob:", 1, "is not hashed"),
        ("bob:SCRAM-SHA-256$1:AAAA$AAAA", 1, "is not SCRAM-SHA-256$"),
    ])
    func refused(text: String, line: Int, reason: String) throws {
        let error = #expect(throws: PasswordFileError.self) { try PasswordFile(Array(text.utf8), path: "users") }
        #expect(error?.line == line)
        #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
        #expect(error?.description.hasPrefix("users:\(line): ") == true)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test("a user that stands in a file twice is refused")
    func twice() throws {
        let text = PasswordTests.mosquitto + PasswordTests.mosquitto
        let error = #expect(throws: PasswordFileError.self) { try PasswordFile(Array(text.utf8), path: "users") }
        #expect(error?.line == 3 && error?.reason == "the user alice stands here twice")
    }

    @Test("a file that is missing, or a folder, is refused by name; one that everybody may read is a warning")
    func unreadable() throws {
        let folder = TestFolder()
        #expect(throws: PasswordFileError.self) { try PasswordFile(path: folder.path + "/absent") }
        #expect(throws: PasswordFileError.self) { try PasswordFile(path: folder.path) }
        #expect(try PasswordFile(path: folder.write("p", PasswordTests.mosquitto)).warnings == [])
        #expect(try PasswordFile(path: folder.write("q", PasswordTests.mosquitto, mode: 0o644)).warnings.count == 1)
    }

    @Test("a change keeps comments and other users, and the file is its owner's alone")
    func edit() throws {
        let folder = TestFolder()
        let path = folder.write("users", "# ours\n" + PasswordTests.mosquitto, mode: 0o644)
        var editor = try PasswordFileEditor(path: path)
        let existed = [
            try editor.set(user: Array("bob".utf8), to: PasswordHash.make(Array("new".utf8), iterations: 1)),
            try editor.set(user: Array("carol".utf8), to: ScramVerifier(password: Array("c".utf8), iterations: 1)),
        ]
        #expect(existed == [true, false])
        let removed = [editor.remove(user: Array("alice".utf8)), editor.remove(user: Array("ali".utf8))]
        #expect(removed == [true, false])
        try editor.save()
        #expect(try folder.text("users").hasPrefix("# ours\nbob:$7$1$"))
        let file = try PasswordFile(path: path)
        #expect(file.warnings == [])
        #expect(file.count == 2 && file.verify("bob", "new") && file.verify("carol", "c"))
        #expect(!file.verify("alice", "secret1"))
    }

    @Test("a new file is made, a damaged one is not touched, and a bad name is refused")
    func newFile() throws {
        let folder = TestFolder()
        var editor = try PasswordFileEditor(path: folder.path + "/new")
        for name in ["a:b", "", "#a", "a\nb", " a"] {
            #expect(throws: PasswordFileError.self, "\(name)") { try editor.set(user: Array(name.utf8), to: "x") }
        }
        try editor.set(user: Array("a".utf8), to: PasswordHash.make([1], iterations: 1))
        try editor.save()
        #expect(try PasswordFile(path: folder.path + "/new").count == 1)
        #expect(throws: PasswordFileError.self) { try PasswordFileEditor(path: folder.write("bad", "bob:hunter2\n")) }
    }

    @Test("any damage to a file is refused or read, and never traps")
    func damage() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("damaged password files: seed \(seed)")
        var random = SeededRandom(seed: seed)
        let scram = ScramVerifier(password: [1], iterations: 1)
        let whole = Array((PasswordTests.mosquitto + "carol:\(scram)\n").utf8)
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            bytes.removeLast(random.below(bytes.count))
            _ = try? PasswordFile(bytes, path: "f")
            _ = try? PasswordHash(bytes)
            _ = try? ScramVerifier(bytes)
        }
    }
}

extension PasswordFile {
    func verify(_ user: String, _ password: String) -> Bool { verify(user: Array(user.utf8), password: Array(password.utf8)) }
}
