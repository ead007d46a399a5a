import Core
import FieldBus
import Glibc
import TestSupport
import Testing

@Suite("Text driver", .timeLimit(.minutes(1)))
struct TextDriverTests {
    private let device = DeviceIdentifier(productKey: "scale", deviceKey: "s1")

    private func bus(_ transport: TextBus.Transport, request: String = "", timeout: Duration = .seconds(20)) throws -> TextBus {
        let points = [
            TextBus.Point(identifier: "weight", type: .lreal, field: try FrameField(#"/^ST,GS,(?<value>[+-] *[\d.]+)kg$/"#)),
            TextBus.Point(identifier: "tare", type: .lreal, field: nil, send: try TextTemplate(#"T{value:.1}\r\n"#)),
        ]
        var limit = TextBus.Point(identifier: "limit", type: .int, field: nil, send: try TextTemplate(#"L{value}\r\n"#))
        limit.conversion.scale = 0.1
        var bus = TextBus(name: "scale", transport: transport, framer: try Framer(.delimiter([13, 10])), devices: [.init(identifier: device, points: points + [limit])])
        bus.request = Array(request.utf8)
        bus.requestInterval = .milliseconds(20)
        bus.timeout = timeout
        bus.maxBackOff = .milliseconds(500)
        return bus
    }

    @Test("a value in a frame is delivered, and what is no frame of the point is not")
    func value() async throws {
        let terminal = PseudoTerminal()
        defer { terminal.unplug() }
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: terminal.path)))) { run in
            #expect(await run.event { $0 == .opened } != nil)
            terminal.send("US,GS,+   9.999kg\r\ngarbage\r\nST,GS,+  12.345kg\r\n".utf8)
            let sample = try #require(await run.sample("weight"))
            #expect(sample.value == .lreal(12.345))
            #expect(sample.quality == .good)
        }
    }

    @Test("a request is sent again and again")
    func request() async throws {
        let terminal = PseudoTerminal()
        defer { terminal.unplug() }
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: terminal.path)), request: "W\r\n")) { run in
            #expect(await run.event { $0 == .opened } != nil)
            #expect(String(decoding: terminal.receive(6), as: UTF8.self) == "W\r\nW\r\n")
        }
    }

    @Test("writing a point sends its text")
    func write() async throws {
        let terminal = PseudoTerminal()
        defer { terminal.unplug() }
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: terminal.path)))) { run in
            #expect(await run.event { $0 == .opened } != nil)
            let results = await run.driver.write(device: device, values: [
                .init(point: "tare", value: .lreal(2.25)), .init(point: "weight", value: .lreal(1)), .init(point: "tare", value: .string("x")),
            ])
            #expect(results.map(\.outcome) == [.written, .readOnly, .typeMismatch(expected: .lreal)])
            #expect(String(decoding: terminal.receive(6), as: UTF8.self) == "T2.2\r\n")
        }
    }

    @Test("a scaled integer is sent rounded, and refused beyond its type's range")
    func writeScaled() async throws {
        let terminal = PseudoTerminal()
        defer { terminal.unplug() }
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: terminal.path)))) { run in
            #expect(await run.event { $0 == .opened } != nil)
            let results = await run.driver.write(device: device, values: [
                .init(point: "limit", value: .lreal(21.54)), .init(point: "limit", value: .int(4000)),
            ])
            #expect(results.map(\.outcome) == [.written, .outOfRange])
            #expect(String(decoding: terminal.receive(6), as: UTF8.self) == "L215\r\n")
        }
    }

    @Test("a device that falls silent is bad, once, until its next frame")
    func silence() async throws {
        let terminal = PseudoTerminal()
        defer { terminal.unplug() }
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: terminal.path)), timeout: .milliseconds(100))) { run in
            #expect(await run.sample("weight")?.quality == .bad(.timeout))
            terminal.send("ST,GS,+  1.5kg\r\n".utf8)
            #expect(await run.sample("weight")?.value == .lreal(1.5))
            #expect(await run.sample("weight")?.quality == .bad(.timeout))
        }
    }

    @Test("an adapter that is pulled out makes its points bad, and is opened again under its name")
    func hotUnplug() async throws {
        let folder = TestFolder()
        let first = PseudoTerminal()
        let name = "\(folder.path)/usb-scale"
        symlink(first.path, name)
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: name)))) { run in
            #expect(await run.event { $0 == .opened } != nil)
            first.send("ST,GS,+  1.5kg\r\n".utf8)
            #expect(await run.sample("weight")?.value == .lreal(1.5))
            unlink(name)
            first.unplug()
            #expect(await run.sample("weight")?.quality == .bad(.notConnected))
            let second = PseudoTerminal()
            defer { second.unplug() }
            symlink(second.path, name)
            #expect(await run.event { $0 == .opened } != nil)
            second.send("ST,GS,+  2.5kg\r\n".utf8)
            #expect(await run.sample("weight")?.value == .lreal(2.5))
        }
    }

    @Test("a port that is not there is said once, with what there is")
    func noPort() async throws {
        try await BusRun.with(try bus(.serial(SerialLine(serialPort: "usb-none")))) { run in
            #expect(await run.event { if case .openFailed(let detail) = $0 { detail.hasPrefix("serial port usb-none: there is none") } else { false } } != nil)
            #expect(await run.sample("weight")?.quality == .bad(.notConnected))
        }
    }
}
