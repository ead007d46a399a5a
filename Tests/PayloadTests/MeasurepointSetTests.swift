import Payload
import Testing

@Suite("Measurement-point set commands")
struct MeasurepointSetTests {
    private func parse(_ text: String) throws(CommandFailure) -> MeasurepointSet { try parse(Array(text.utf8)) }

    private func parse(_ bytes: [UInt8]) throws(CommandFailure) -> MeasurepointSet {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(CommandFailure) in try MeasurepointSet.parse(bytes) }
        }
        return try result.get()
    }

    private func failure(_ text: String) -> CommandFailure? {
        do throws(CommandFailure) {
            _ = try parse(text)
            return nil
        } catch {
            return error
        }
    }

    private static let method = #""method":"thing.service.measurepoint.set""#

    @Test("points and values are read in the order of the text")
    func reads() throws {
        let set = try parse(
            #"{"id":"7","version":"1.0",\#(Self.method),"params":{"b":true,"i":-5,"u":18446744073709551615,"d":21.5,"s":"x\n"}}"#)
        #expect(set.assignments == [
            .init(point: "b", value: .bool(true)), .init(point: "i", value: .int(-5)), .init(point: "u", value: .uint(.max)),
            .init(point: "d", value: .double(21.5)), .init(point: "s", value: .string("x\n")),
        ])
    }

    @Test("what is wrong has its code", arguments: [
        ("", ReplyCode.empty), ("  ", .empty), ("{", .notJSON), ("[]", .notJSON), ("{}", .methodMismatch),
        (#"{"method":"thing.measurepoint.post","params":{"a":1}}"#, .methodMismatch), (#"{"method":5,"params":{"a":1}}"#, .methodMismatch),
        ("{\(method)}", .empty), ("{\(method),\"params\":null}", .empty), ("{\(method),\"params\":{}}", .empty),
        ("{\(method),\"params\":[1]}", .notJSON), ("{\(method),\"params\":{\"a\":null}}", .valueDoesNotFitModel),
        ("{\(method),\"params\":{\"a\":[1]}}", .valueDoesNotFitModel), ("{\(method),\"params\":{\"a\":1e999}}", .valueDoesNotFitModel),
        ("{\(method),\"params\":{\"a\":1,\"a\":2}}", .valueDoesNotFitModel),
    ])
    func codes(text: String, code: ReplyCode) {
        #expect(failure(text)?.code == code)
    }

    @Test("more points than the limit are refused")
    func limit() {
        func command(_ count: Int) -> String {
            "{\(Self.method),\"params\":{\((0..<count).map { "\"p\($0)\":1" }.joined(separator: ","))}}"
        }
        #expect(failure(command(1000)) == nil)
        #expect(failure(command(1001))?.code == .valueDoesNotFitModel)
    }

    @Test("a reply echoes the id as it came", arguments: [
        (#""7""#, #""7""#), ("7", "7"), ("1e2", "1e2"), (#""a\u0022""#, #""a\u0022""#), ("null", "null"), ("{}", "null"), ("true", "null"),
    ])
    func identifiers(sent: String, echoed: String) throws {
        var reply: [UInt8] = []
        Reply.write(try parse(#"{"id":\#(sent),\#(Self.method),"params":{"a":1}}"#).identifier, code: .success, to: &reply)
        #expect(String(decoding: reply, as: UTF8.self) == #"{"id":\#(echoed),"code":200,"data":{},"message":""}"#)
        reply.removeAll()
        let refused = try #require(failure(#"{"id":\#(sent),\#(Self.method),"params":{"a":null}}"#))
        Reply.write(refused.identifier, code: refused.code, message: refused.message, to: &reply)
        #expect(String(decoding: reply, as: UTF8.self).hasPrefix(#"{"id":\#(echoed),"code":1204,"data":{},"message":"the value of point a"#))
    }

    @Test("an id longer than the limit counts as absent")
    func longIdentifier() throws {
        let long = String(repeating: "9", count: 257)
        #expect(try parse(#"{"id":\#(long),\#(Self.method),"params":{"a":1}}"#).identifier == .absent)
    }
}
