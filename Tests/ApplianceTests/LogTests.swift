import Core
import Glibc
import Logging
import Testing

@testable import Appliance

@Suite("The log")
struct LogTests {
    @Test("a value is quoted when it needs it", arguments: [
        ("plain-1.5/ä", "plain-1.5/ä"),
        ("", "\"\""),
        ("two words", "\"two words\""),
        ("a=b", "\"a=b\""),
        ("say \"hi\"", #""say \"hi\"""#),
        ("back\\slash", #""back\\slash""#),
        ("a\nlevel=critical", #""a\nlevel=critical""#),
        ("a\r\n\tb", #""a\r\n\tb""#),
        ("\u{1}\u{1B}[2J\u{7F}\u{9B}", #""\x01\x1b[2J\x7f\x9b""#),
    ])
    func quoting(text: String, expected: String) {
        #expect(LogfmtHandler.quoted(text) == expected)
    }

    @Test("no value can forge a line or a field")
    func forging() throws {
        for scalar in (0..<0x110 as Range<UInt32>).compactMap(Unicode.Scalar.init) {
            let quoted = LogfmtHandler.quoted("a\(Character(scalar))b")
            #expect(!quoted.unicodeScalars.contains { $0.isControl }, "U+\(String(scalar.value, radix: 16))")
            guard quoted.hasPrefix("\"") else {
                #expect(!quoted.contains(" ") && !quoted.contains("=") && !quoted.contains("\""), "\(quoted)")
                continue
            }
            // Inside the quotes each quotation mark stands behind an odd number of backslashes.
            var isEscaped = false
            for character in quoted.dropFirst().dropLast() {
                #expect(isEscaped || character != "\"", "\(quoted)")
                isEscaped = character == "\\" && !isEscaped
            }
            #expect(!isEscaped, "\(quoted)")
        }
    }

    @Test("a line has its fields in order, the metadata by name")
    func line() throws {
        let file = try Pipe()
        let sink = LogfmtHandler.Sink(descriptor: file.input)
        var logger = Logger(label: "bus") { LogfmtHandler(label: $0, level: .info, sink: sink) }
        logger[metadataKey: "bus"] = "line-1"
        logger.warning("no answer", metadata: ["device": "meter/m 1", "attempt": "2"])
        logger.debug("not important enough")
        let lines = file.lines()
        #expect(lines.count == 1)
        let parts = try #require(lines.first).split(separator: " ", maxSplits: 1)
        #expect(parts[0].hasPrefix("time=2") && parts[0].hasSuffix("Z") && parts[0].count == "time=2026-01-31T12:00:00.123Z".count)
        #expect(parts[1] == #"level=warning component=bus msg="no answer" attempt=2 bus=line-1 device="meter/m 1""#)
    }

    @Test("while the sink captures, lines are kept; the newest are written when it ends")
    func capture() throws {
        let file = try Pipe()
        let sink = LogfmtHandler.Sink(descriptor: file.input)
        sink.emit("before")
        sink.capture()
        for number in 0..<10 { sink.emit("\(number)") }
        #expect(sink.capturedLines() == (2..<10).map { "\($0)" })
        sink.release()
        sink.emit("after")
        #expect(sink.capturedLines() == [])
        #expect(file.lines() == ["before"] + (2..<10).map { "\($0)" } + ["after"])
    }
}

@Suite("Times")
struct ISOTimeTests {
    @Test("a time has all its digits", arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
        (951_782_400_007, "2000-02-29T00:00:00.007Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (-86_400_000, "1969-12-31T00:00:00.000Z"),
    ] as [(Int64, String)])
    func text(milliseconds: Int64, expected: String) {
        #expect(ISOTime.text(Timestamp(milliseconds: milliseconds)) == expected)
    }
}

/// A pipe whose reader takes what has been written so far.
final class Pipe {
    let input: Int32
    private let output: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        (output, input) = (ends[0], ends[1])
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(input)
        close(output)
    }

    func lines() -> [String] {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = max(0, read(output, &bytes, bytes.count))
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
