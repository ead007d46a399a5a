import Testing

@testable import Appliance

@Suite("The files that a reload has read anew")
struct FilesReadTests {
    @Test("are those that hold something else, in the order of the configuration")
    func changed() {
        let old = FilesRead([("a", [1]), ("b", [2]), ("c", [3])])
        #expect(FilesRead([("a", [1]), ("b", [7]), ("c", [8])]).changed(from: old) == ["b", "c"])
        #expect(old.changed(from: old).isEmpty)
    }

    @Test("do not include one that has come or gone, which the configuration tells")
    func others() {
        #expect(FilesRead([("b", [2])]).changed(from: FilesRead([("a", [1])])).isEmpty)
    }
}
