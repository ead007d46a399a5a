import Payload
import Testing

@Suite("Measurement-point get commands")
struct MeasurepointGetTests {
    private func parse(_ text: String) -> Result<MeasurepointGet, CommandFailure> {
        Array(text.utf8).withUnsafeBytes { bytes in
            Result { () throws(CommandFailure) in try MeasurepointGet.parse(bytes) }
        }
    }

    private static let method = #""method":"thing.service.measurepoint.get""#

    @Test("points are read in the order of the text, each once")
    func reads() throws {
        let get = try parse(#"{"id":"8","version":"1.0",\#(Self.method),"params":["b","a","b","x\n"]}"#).get()
        #expect(get.points == ["b", "a", "x\n"] && get.identifier.json == Array(#""8""#.utf8))
        #expect(try parse("{\(Self.method),\"params\":[]}").get().points == [])
    }

    @Test("what is wrong has its code", arguments: [
        ("", ReplyCode.empty), ("{", .notJSON), ("[]", .notJSON), ("{}", .methodMismatch),
        (#"{"method":"thing.service.measurepoint.set","params":["a"]}"#, .methodMismatch), ("{\(method)}", .empty),
        ("{\(method),\"params\":null}", .empty), ("{\(method),\"params\":{}}", .notJSON), ("{\(method),\"params\":\"a\"}", .notJSON),
        ("{\(method),\"params\":[\"a\",1]}", .valueDoesNotFitModel), ("{\(method),\"params\":[[]]}", .valueDoesNotFitModel),
    ])
    func codes(text: String, code: ReplyCode) {
        #expect(throws: CommandFailure.self) { try parse(text).get() }
        if case .failure(let failure) = parse(text) { #expect(failure.code == code) }
    }

    @Test("more points than the limit are refused")
    func limit() {
        func command(_ count: Int) -> String {
            "{\"id\":5,\(Self.method),\"params\":[\((0..<count).map { "\"p\($0)\"" }.joined(separator: ","))]}"
        }
        #expect((try? parse(command(1000)).get())?.points.count == 1000)
        guard case .failure(let failure) = parse(command(1001)) else {
            Issue.record("1001 points were taken")
            return
        }
        #expect(failure.code == .valueDoesNotFitModel && failure.identifier.json == Array("5".utf8))
    }
}
