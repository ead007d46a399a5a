import BoardProfiles
import Configuration
import FieldBus
import TestSupport
import Testing

@Suite("Board profiles")
struct BoardProfileTests {
    @Test("every built-in profile is valid, named for people, and from a file of the folder board", arguments: BoardProfile.builtInNames)
    func builtIn(name: String) throws {
        let text = try #require(BoardProfile.builtInText(name))
        let profile = try BoardProfile.decode(text: text, file: "\(name).toml")
        #expect(!profile.name.isEmpty)
        #expect(text.hasPrefix("# "), "where its figures come from is not said")
    }

    @Test("an endurance is declared in bytes, or as cycles of the medium's or the file system's size")
    func endurance() throws {
        func storage(_ keys: String) throws -> BoardProfile.Storage {
            try BoardProfile.decode(text: "name = \"x\"\n[storage]\n\(keys)", file: "b").storage
        }
        #expect(try storage("endurance = \"30TB\"").endurance(ofFileSystem: 5) == 30e12)
        #expect(try storage("capacity = \"8GB\"\ncycles = 3000").endurance(ofFileSystem: 5) == 24e12)
        #expect(try storage("cycles = 3000").endurance(ofFileSystem: 1_000_000) == 3e9)
        #expect(try storage("").endurance(ofFileSystem: 1_000_000) == nil)
    }

    @Test("a mistake in a profile is reported with its place there", arguments: [
        ("[storage]\n", "b:1:1: the file needs the key \"name\""),
        ("name = \"x\"\n[storage]\ncache-share = 1.5\n", "b:3:15: cache-share 1.5 is out of range (0.01…1.0)"),
        (
            "name = \"x\"\n[storage]\nendurance = \"1TB\"\ncycles = 5\n",
            "b:4:10: endurance and cycles say the same thing: leave out one of them"
        ),
        ("name = \"x\"\n[storage]\nwrite-amplification = 0.5\n", "b:3:23: write-amplification 0.5 is out of range (1.0…100.0)"),
        ("name = \"x\"\n[stroage]\n", "b:2:1: unknown key \"stroage\"; did you mean \"storage\"?"),
    ])
    func mistakes(text: String, expected: String) {
        do throws(ConfigurationErrors) {
            _ = try BoardProfile.decode(text: text, file: "b")
            Issue.record("no mistake was found")
        } catch {
            #expect(error.errors.map(\.description) == [expected])
        }
    }

    @Test("a board is a built-in profile, or a file beside the configuration")
    func named() throws {
        let folder = TestFolder()
        folder.write("own.toml", "name = \"Own\"\n[storage]\ncache-share = 0.25\n")
        var errors: [ConfigurationError] = []
        func profile(_ board: String) throws -> BoardProfile {
            try MartletConfiguration.decode(text: "[appliance]\nboard = \"\(board)\"\n", file: folder.path + "/martlet.toml", drivers: Drivers.catalogue)
                .boardProfile(&errors)
        }
        #expect(try profile("own.toml").storage.cacheShare == 0.25)
        #expect(try profile("generic-emmc-8gb").storage.capacity == 8_000_000_000)
        #expect(errors.isEmpty)
        _ = try profile("generic-emc-8gb")
        #expect(errors.first?.description.hasSuffix("martlet.toml:2:9: there is no board \"generic-emc-8gb\"; did you mean \"generic-emmc-8gb\"? The path of a file has a \"/\" or ends with \".toml\"") == true)
    }

    @Test("mistakes of several files stay together by file")
    func order() {
        func error(_ file: String, _ line: Int) -> ConfigurationError {
            ConfigurationError(SourcePosition(file: file, line: line, column: 1), "x")
        }
        let errors = ConfigurationErrors([error("a", 9), error("b", 2), error("a", 3)])
        #expect(errors.errors.map(\.description) == ["a:3:1: x", "a:9:1: x", "b:2:1: x"])
    }
}
