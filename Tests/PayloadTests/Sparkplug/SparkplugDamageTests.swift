import Payload
import TestSupport
import Testing

@Suite("Sparkplug B payloads that are damaged")
struct SparkplugDamageTests {
    /// Reads the bytes. Whatever they are nothing may trap, and what was accepted must read back the same once written.
    private func exercise(_ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        // An allocation of exactly this size, so that a sanitizer sees a read beyond it.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        do throws(SparkplugError) {
            let payload = try SparkplugPayload.read(UnsafeRawBufferPointer(copy))
            for metric in payload.metrics {
                if let value = metric.value { for type in SparkplugDataType.allCases { _ = type.value(of: value) } }
            }
            var first: [UInt8] = []
            payload.write(to: &first)
            var second: [UInt8] = []
            let again = first.withUnsafeBytes { bytes in
                Result { () throws(SparkplugError) in try SparkplugPayload.read(bytes) }
            }
            try again.get().write(to: &second)
            // Bytes, not values: a NaN does not equal itself.
            #expect(first == second, "\(bytes)", sourceLocation: sourceLocation)
        } catch {
            #expect(error.offset >= 0 && error.offset <= bytes.count, "\(bytes)", sourceLocation: sourceLocation)
        }
    }

    @Test("truncated at every byte")
    func truncated() {
        for payload in Corpus.sparkplugPayloads() {
            for count in 0..<payload.count { exercise(Array(payload[..<count])) }
        }
    }

    @Test("with every bit flipped")
    func flipped() {
        for payload in Corpus.sparkplugPayloads() {
            for bytes in payload.bitFlips { exercise(bytes) }
        }
    }

    @Test("a payload that ends inside a field is refused")
    func unexpectedEnd() {
        for bytes: [UInt8] in [[0x08], [0x08, 0x80], [0x12, 0x05, 0x0A], [0x32], [0x35, 0, 0], [0x33, 0x08, 0x01]] {
            let error = #expect(throws: SparkplugError.self) { try bytes.withUnsafeBytes { try SparkplugPayload.read($0) } }
            #expect(error?.reason == .unexpectedEnd, "\(bytes)")
        }
    }

    @Test("what protobuf does not have is refused", arguments: [
        ([0x00, 0x00], .invalidTag), ([0x0E], .invalidTag), ([0x33, 0x3C], .invalidTag), ([0x34], .invalidTag),
        ([0x08] + [UInt8](repeating: 0x80, count: 10) + [0x01], .varintTooLong), ([0x22, 0x01, 0xFF], .invalidUTF8),
        ([0x12, 0x03, 0x0A, 0x01, 0xC3], .invalidUTF8),
    ] as [([UInt8], SparkplugError.Reason)])
    func refused(bytes: [UInt8], reason: SparkplugError.Reason) {
        let error = #expect(throws: SparkplugError.self) { try bytes.withUnsafeBytes { try SparkplugPayload.read($0) } }
        #expect(error?.reason == reason)
    }

    /// A metric with property sets inside each other.
    private func nested(_ depth: Int) -> [UInt8] {
        var properties = [SparkplugProperty(key: "k", type: .int32, value: .int(1))]
        for _ in 1..<depth { properties = [SparkplugProperty(key: "k", type: .propertySet, value: .set(properties))] }
        var metric = SparkplugMetric(name: "m")
        metric.properties = properties
        var bytes: [UInt8] = []
        SparkplugPayload(metrics: [metric]).write(to: &bytes)
        return bytes
    }

    @Test("property sets are read to a depth, and refused beyond")
    func depth() throws {
        _ = try nested(SparkplugPayload.maxDepth).withUnsafeBytes { try SparkplugPayload.read($0) }
        let error = #expect(throws: SparkplugError.self) {
            try nested(SparkplugPayload.maxDepth + 1).withUnsafeBytes { try SparkplugPayload.read($0) }
        }
        #expect(error?.reason == .tooDeep)
        let groups = [UInt8](repeating: 0x33, count: 1000)
        #expect(throws: SparkplugError.self) { try groups.withUnsafeBytes { try SparkplugPayload.read($0) } }
    }

    @Test("metrics and properties are read up to their limits, and refused beyond")
    func limits() throws {
        let metrics = [UInt8]([UInt8](repeating: 0, count: SparkplugPayload.maxMetrics).flatMap { _ in [0x12, 0x00] as [UInt8] })
        #expect(try metrics.withUnsafeBytes { try SparkplugPayload.read($0) }.metrics.count == SparkplugPayload.maxMetrics)
        #expect(throws: SparkplugError.self) { try (metrics + [0x12, 0x00]).withUnsafeBytes { try SparkplugPayload.read($0) } }
        var metric = SparkplugMetric(name: "m")
        metric.properties = (0...SparkplugPayload.maxProperties).map { SparkplugProperty(key: "\($0)", type: .int32, value: .int(0)) }
        var bytes: [UInt8] = []
        SparkplugPayload(metrics: [metric]).write(to: &bytes)
        let error = #expect(throws: SparkplugError.self) { try bytes.withUnsafeBytes { try SparkplugPayload.read($0) } }
        #expect(error?.reason == .tooMany)
    }

    @Test("damaged at random")
    func random() {
        let corpus = Corpus.sparkplugPayloads()
        for seed in FuzzSeeds("sparkplug", count: 2000) {
            var generator = SeededRandom(seed: seed)
            var bytes = corpus.randomElement(using: &generator) ?? []
            for _ in 0...generator.below(4) {
                guard !bytes.isEmpty else { break }
                let at = generator.below(bytes.count)
                switch generator.below(4) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.insert(contentsOf: generator.bytes(1 + generator.below(4)), at: at)
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + generator.below(8)))
                default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + generator.below(32))], at: at)
                }
            }
            exercise(bytes)
        }
    }
}
