import Payload
import TestSupport
import Testing

/// The payloads of Tests/Corpus/sparkplug.txt come from another encoder, Google's.
@Suite("Sparkplug B payloads")
struct SparkplugPayloadTests {
    static let time: UInt64 = 1_700_000_000_123

    private func read(_ bytes: [UInt8]) throws -> SparkplugPayload { try bytes.withUnsafeBytes { try SparkplugPayload.read($0) } }

    private func written(_ payload: SparkplugPayload) -> [UInt8] {
        var bytes: [UInt8] = [0xAA]
        payload.write(to: &bytes)
        #expect(bytes.first == 0xAA)
        return Array(bytes.dropFirst())
    }

    /// A payload of metrics that are named as their types.
    private func typed(_ values: [(SparkplugDataType, String, SparkplugValue)], sequence: UInt64) -> SparkplugPayload {
        SparkplugPayload(
            timestamp: Self.time,
            metrics: values.map { type, name, value in
                SparkplugMetric(name: name, timestamp: Self.time, dataType: type, value: type.wire(of: value))
            }, sequence: sequence)
    }

    private static let everyType: [(SparkplugDataType, String, SparkplugValue)] = [
        (.int8, "Int8", .int(-128)), (.int8, "Int8", .int(-1)), (.int8, "Int8", .int(127)),
        (.int16, "Int16", .int(-32768)), (.int16, "Int16", .int(-1)), (.int16, "Int16", .int(32767)),
        (.int32, "Int32", .int(-0x8000_0000)), (.int32, "Int32", .int(-1)), (.int32, "Int32", .int(0x7FFF_FFFF)),
        (.int64, "Int64", .int(.min)), (.int64, "Int64", .int(-1)), (.int64, "Int64", .int(.max)),
        (.uint8, "UInt8", .uint(0)), (.uint8, "UInt8", .uint(255)), (.uint16, "UInt16", .uint(0)), (.uint16, "UInt16", .uint(65535)),
        (.uint32, "UInt32", .uint(0)), (.uint32, "UInt32", .uint(0xFFFF_FFFF)), (.uint64, "UInt64", .uint(0)),
        (.uint64, "UInt64", .uint(.max)), (.float, "Float", .float(-0.5)), (.float, "Float", .float(.greatestFiniteMagnitude)),
        (.double, "Double", .double(-1e300)), (.double, "Double", .double(0.1)), (.boolean, "Boolean", .boolean(false)),
        (.boolean, "Boolean", .boolean(true)), (.string, "String", .string("")), (.string, "String", .string("é測")),
        (.dateTime, "DateTime", .uint(time)), (.text, "Text", .string("a\nb")),
        (.uuid, "UUID", .string("123e4567-e89b-12d3-a456-426614174000")), (.bytes, "Bytes", .bytes([])),
        (.bytes, "Bytes", .bytes([0, 255])), (.file, "File", .bytes(Array("MZ".utf8))),
    ]

    private static let everyArray: [(SparkplugDataType, String, SparkplugValue)] = [
        (.int8Array, "Int8Array", .array([.int(-128), .int(127)])), (.int16Array, "Int16Array", .array([.int(-32768), .int(32767)])),
        (.int32Array, "Int32Array", .array([.int(-0x8000_0000), .int(0x7FFF_FFFF)])),
        (.int64Array, "Int64Array", .array([.int(.min), .int(.max)])), (.uint8Array, "UInt8Array", .array([.uint(0), .uint(255)])),
        (.uint16Array, "UInt16Array", .array([.uint(0), .uint(65535)])),
        (.uint32Array, "UInt32Array", .array([.uint(0), .uint(0xFFFF_FFFF)])),
        (.uint64Array, "UInt64Array", .array([.uint(0), .uint(.max)])), (.floatArray, "FloatArray", .array([.float(0.5), .float(-2)])),
        (.doubleArray, "DoubleArray", .array([.double(0.1), .double(-1e300)])),
        (
            .booleanArray, "BooleanArray",
            .array([true, false, true, true, false, false, false, false, false, true].map { .boolean($0) })
        ),
        (.stringArray, "StringArray", .array([.string("a"), .string(""), .string("é")])),
        (.dateTimeArray, "DateTimeArray", .array([.uint(0), .uint(time)])),
    ]

    private static var dataByAlias: SparkplugPayload {
        var historical = SparkplugMetric(alias: 1, timestamp: time - 5000, value: .double(61.5))
        historical.isHistorical = true
        var null = SparkplugMetric(alias: 300, timestamp: time)
        null.isNull = true
        null.properties = [.quality(.bad), SparkplugProperty(key: "Reason", type: .string, value: .string("timeout"))]
        var transient = SparkplugMetric(alias: .max, timestamp: time, value: .boolean(true))
        transient.isTransient = true
        return SparkplugPayload(timestamp: time, metrics: [historical, null, transient], sequence: 255)
    }

    private static var properties: SparkplugPayload {
        func text(_ value: String) -> SparkplugProperty { SparkplugProperty(key: "k", type: .string, value: .string(value)) }
        var metric = SparkplugMetric(name: "a/b", dataType: .double, value: .double(1))
        metric.properties = [
            SparkplugProperty(key: "i", type: .uint32, value: .int(7)),
            SparkplugProperty(key: "l", type: .uint64, value: .long(1 << 40)),
            SparkplugProperty(key: "f", type: .float, value: .float(0.5)),
            SparkplugProperty(key: "d", type: .double, value: .double(0.1)),
            SparkplugProperty(key: "b", type: .boolean, value: .boolean(true)),
            SparkplugProperty(key: "s", type: .string, value: .string(String(repeating: "x", count: 200))),
            SparkplugProperty(key: "n", type: .string, value: nil),
            SparkplugProperty(key: "set", type: .propertySet, value: .set([text("v")])),
            SparkplugProperty(key: "sets", type: .propertySetList, value: .sets([[text("one")], [text("two")]])),
        ]
        var payload = SparkplugPayload(timestamp: time, metrics: [metric], sequence: 2)
        payload.uuid = "schema"
        payload.body = [1, 2]
        return payload
    }

    @Test("each type of value is written as another encoder writes it")
    func everyType() {
        #expect(written(typed(Self.everyType, sequence: 0)) == Corpus.sparkplugPayloads()[0])
    }

    @Test("each type of array is written as another encoder writes it")
    func everyArray() {
        #expect(written(typed(Self.everyArray, sequence: 1)) == Corpus.sparkplugPayloads()[1])
    }

    @Test("flags, aliases and qualities are written as another encoder writes them")
    func dataByAlias() { #expect(written(Self.dataByAlias) == Corpus.sparkplugPayloads()[2]) }

    @Test("properties and sets of them are written as another encoder writes them")
    func properties() { #expect(written(Self.properties) == Corpus.sparkplugPayloads()[3]) }

    @Test("each type of value and array means after reading what it meant")
    func values() throws {
        for (index, expected) in [Self.everyType, Self.everyArray].enumerated() {
            let payload = try read(Corpus.sparkplugPayloads()[index])
            #expect(payload.metrics.count == expected.count)
            for (metric, (type, name, value)) in zip(payload.metrics, expected) {
                #expect(metric.name == name && metric.dataType == type && metric.timestamp == Self.time)
                #expect(metric.value.flatMap { type.value(of: $0) } == value, "\(name)")
            }
        }
    }

    @Test("what another encoder wrote is read as it was meant")
    func reading() throws {
        let corpus = Corpus.sparkplugPayloads()
        #expect(try read(corpus[2]) == Self.dataByAlias)
        #expect(try read(corpus[3]) == Self.properties)
        let death = try read(corpus[5])
        #expect(death.sequence == nil && death.metrics.map(\.name) == ["bdSeq"] && death.metrics[0].value == .long(255))
    }

    @Test("data sets, templates and metadata are handed on as they came")
    func opaque() throws {
        let bytes = Corpus.sparkplugPayloads()[4]
        let payload = try read(bytes)
        #expect(payload.metrics.map(\.name) == ["table", "motor", "file"])
        guard case .dataSet = payload.metrics[0].value, case .template = payload.metrics[1].value else {
            Issue.record("\(payload.metrics)")
            return
        }
        #expect(written(payload) == bytes)
    }

    @Test("an empty payload is one without anything")
    func empty() throws { #expect(try read([]) == SparkplugPayload()) }

    @Test("fields that the specification does not have are passed over", arguments: [
        // Field 100 as a varint, as bytes, as 32 and 64 bits, and as a group with a group in it.
        [0xA0, 0x06, 0x05], [0xA2, 0x06, 0x02, 0x01, 0x02], [0xA5, 0x06, 1, 2, 3, 4], [0xA1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
        [0xA3, 0x06, 0x0B, 0x08, 0x01, 0x0C, 0xA4, 0x06],
    ] as [[UInt8]])
    func unknown(field: [UInt8]) throws { #expect(try read(field + [0x18, 0x07]).sequence == 7) }

    @Test("a known field of another wire type counts as unknown")
    func otherWireType() throws {
        #expect(try read([0x1A, 0x01, 0x07, 0x10, 0x01]) == SparkplugPayload())
    }

    @Test("whole numbers are taken from the wider and the narrower field, in two's complement of either width")
    func liberalIntegers() {
        #expect(SparkplugDataType.int16.value(of: .int(0xFFFE)) == .int(-2))
        #expect(SparkplugDataType.int16.value(of: .int(0xFFFF_FFFE)) == .int(-2))
        #expect(SparkplugDataType.int8.value(of: .long(.max)) == .int(-1))
        #expect(SparkplugDataType.int64.value(of: .int(5)) == .int(5))
        #expect(SparkplugDataType.uint32.value(of: .long(5)) == .uint(5))
        #expect(SparkplugDataType.double.value(of: .float(0.5)) == .double(0.5))
    }

    @Test("a number beyond the type, or a value of another kind, is none")
    func outOfRange() {
        #expect(SparkplugDataType.int8.value(of: .int(0x100)) == nil)
        #expect(SparkplugDataType.uint8.value(of: .int(0x100)) == nil)
        #expect(SparkplugDataType.boolean.value(of: .int(1)) == nil)
        #expect(SparkplugDataType.int16Array.value(of: .bytes([1])) == nil)
        #expect(SparkplugDataType.booleanArray.value(of: .bytes([9, 0, 0, 0, 1])) == nil)
        #expect(SparkplugDataType.stringArray.value(of: .bytes([0x61])) == nil)
        #expect(SparkplugDataType.int8.wire(of: .int(128)) == nil)
        #expect(SparkplugDataType.uint16.wire(of: .uint(65536)) == nil)
        #expect(SparkplugDataType.string.wire(of: .boolean(true)) == nil)
    }
}
