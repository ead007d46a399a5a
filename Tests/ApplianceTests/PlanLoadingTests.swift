import Appliance
import Configuration
import Glibc
import Testing

@Suite("Loading a plan")
struct PlanLoadingTests {
    @Test("mistakes that only a part can see are reported together with those of the file")
    func allAtOnce() throws {
        let text = """
            [appliance]
            nme = "x"
            [[rule]]
            name = "r"
            sql = 'SELECT a FROM "x" WHERE a >'
            topic = 5
            [[bridge]]
            name = "b"
            host = "h"
            client-identifier = "c"
            [[bridge.forward]]
            filter = "a/#"
            prefix = "x"
            """
        var path = Array("/tmp/martlet-plan-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        try #require(file >= 0)
        let name = path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { unlink(name) }
        let bytes = Array(text.utf8)
        #expect(write(file, bytes, bytes.count) == bytes.count)
        close(file)

        let errors = try #require(throws: ConfigurationErrors.self) { _ = try AppliancePlan.load(path: name) }.errors
        #expect(errors.map(\.line) == [2, 5, 6, 13])
        #expect(errors[1].message.contains("end of the rule"))
        #expect(errors[2].message.contains("topic must be a string"))
    }
}
