import Foundation
import Testing

/// Holds what the design promises of the sources: targets import only from layers above their own, and full Foundation
/// stays out of the binary.
@Suite("Imports")
struct ImportTests {
    /// The targets by layer. A target imports only from layers with a smaller number.
    static let layers: [[String]] = [
        [
            "BoardProfiles", "CAllocator", "CBoard", "CModbus", "COpenSSL", "CSQLite", "CSwiftRuntime", "CThreadSanitizer", "CTOML", "CZlib", "CZstd",
            "DeviceProfiles",
        ],
        ["Core"],
        ["Configuration", "MQTTCodec", "Payload", "Security", "Store"],
        ["Broker", "FieldBus", "MQTTClient", "Rules"],
        ["Bridge", "Console", "MQTTServer"],
        ["Appliance"],
        ["martlet"],
    ]

    /// What comes from outside, and which targets may use it.
    static let outside: [String: Set<String>] = [
        "Swift": [], "Synchronization": ["Console", "Core", "Security", "FieldBus", "Appliance", "martlet"],
        "Glibc": [
            "Core", "Configuration", "FieldBus", "Payload", "Rules", "Security", "Store", "MQTTClient", "Bridge", "MQTTServer",
            "Appliance", "martlet",
        ],
        "DequeModule": ["Broker", "Bridge", "MQTTServer"],
        "NIOCore": ["Console", "MQTTCodec", "Security", "MQTTClient", "Bridge", "MQTTServer", "Appliance", "martlet"],
        "NIOHTTP1": ["Console", "MQTTClient"], "NIOWebSocket": ["MQTTClient"],
        "NIOPosix": ["Console", "MQTTClient", "Bridge", "MQTTServer", "Appliance", "martlet"],
        "Logging": ["Console", "Bridge", "MQTTServer", "Appliance", "martlet"],
        "ArgumentParser": ["martlet"], "Dispatch": ["martlet"],
    ]

    static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")

    struct Import {
        var target: String
        var module: String
        var place: String
    }

    static func imports() throws -> [Import] {
        let expression = /^\s*(?:@[\w()]+\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        var found: [Import] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let path = file.path(percentEncoded: false).dropFirst(sources.path(percentEncoded: false).count + 1)
            let target = String(path.prefix { $0 != "/" })
            for (number, line) in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                guard let match = line.prefixMatch(of: expression) else { continue }
                found.append(Import(target: target, module: String(match.1), place: "\(path):\(number + 1)"))
            }
        }
        return found
    }

    @Test("every target stands in the layer table")
    func everyTargetHasALayer() throws {
        let known = Set(Self.layers.joined())
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path(percentEncoded: false))
        // The profiles of boards stand in a folder of their own, board/.
        #expect(Set(folders) == known.subtracting(["BoardProfiles"]))
    }

    @Test("a target imports only from layers above its own")
    func layersHold() throws {
        var layerOf: [String: Int] = [:]
        for (layer, targets) in Self.layers.enumerated() { for target in targets { layerOf[target] = layer } }
        let imports = try Self.imports()
        #expect(imports.count > 100, "the sources were not found")
        for item in imports {
            let own = try #require(layerOf[item.target], "\(item.target) has no layer")
            if let other = layerOf[item.module] {
                #expect(other < own, "\(item.place): \(item.target) must not import \(item.module)")
            } else {
                let allowed = Self.outside[item.module]
                #expect(allowed != nil, "\(item.place): \(item.module) is not a dependency that was decided on")
                #expect(allowed?.contains(item.target) == true, "\(item.place): \(item.target) must not import \(item.module)")
            }
        }
    }

    @Test("nothing in the binary imports full Foundation")
    func noFoundation() throws {
        for item in try Self.imports() {
            #expect(!["Foundation", "FoundationNetworking", "FoundationXML"].contains(item.module), "\(item.place)")
        }
    }
}
