import Core
import FieldBus
import Glibc
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusDriverTests {
    let a = deviceName("a")
    let b = deviceName("b")

    @Test("all four areas are read")
    func areas() async throws {
        let server = FakeServer { [.send($0.values { address in UInt16(address) & 1 })] }
        defer { server.stop() }
        let points = ModbusArea.allCases.map { area in
            var point = ModbusPoint(identifier: area.rawValue, type: .bool, area: area, address: 3)
            if !area.holdsBits { point.bit = 0 }
            return point
        }
        try await DriverRun.with(tcpBus(server.port, [ModbusDevice(identifier: a, unitIdentifier: 9, points: points)])) { run in
            let reading = try #require(await run.reading())
            for area in ModbusArea.allCases { #expect(reading[area.rawValue]?.value == .bool(true)) }
            #expect(Set(server.requests.map(\.function)) == [1, 2, 3, 4])
            #expect(server.requests.allSatisfy { $0.unit == 9 })
        }
    }

    @Test("only the point that the device does not have is bad, and it is not asked for at every poll")
    func missingPoint() async throws {
        let server = FakeServer { request in
            let asked = request.address..<request.address + request.quantity
            return [.send(asked.contains(5) ? request.exception(2) : request.values { UInt16($0) })]
        }
        defer { server.stop() }
        let points = (0..<10).map { uintPoint("p\($0)", $0) }
        try await DriverRun.with(tcpBus(server.port, [ModbusDevice(identifier: a, unitIdentifier: 1, points: points)])) { run in
            let first = try #require(await run.reading())
            #expect(first.samples.count == 10)
            #expect(first["p5"]?.quality == .bad(.illegalDataAddress))
            for number in 0..<10 where number != 5 { #expect(first["p\(number)"]?.value == .uint(UInt64(number))) }
            let event = await run.event { if case .pointsBad = $0 { true } else { false } }
            #expect(event == .pointsBad(a, points: ["p5"], .illegalDataAddress))
            let learning = server.requests.count
            let second = try #require(await run.reading())
            #expect(second.samples.count == 9 && second.isGood)
            let asked = server.requests.dropFirst(learning)
            #expect(!asked.contains { ($0.address..<$0.address + $0.quantity).contains(5) })
            #expect(run.driver.status().devices[0].missingPoints == 1)
        }
    }

    @Test("a device that takes only short reads is read in short ones")
    func shortReads() async throws {
        let server = FakeServer { [.send($0.quantity > 16 ? $0.exception(3) : $0.values { UInt16($0) })] }
        defer { server.stop() }
        let points = (0..<100).map { uintPoint("p\($0)", $0) }
        try await DriverRun.with(tcpBus(server.port, [ModbusDevice(identifier: a, unitIdentifier: 1, points: points)])) { run in
            let reading = try #require(await run.reading())
            #expect(reading.samples.count == 100 && reading.isGood)
        }
    }

    @Test("exceptions become the quality of the points", arguments: [
        (UInt8(1), QualityReason.illegalFunction), (4, .deviceFailure), (6, .deviceBusy), (8, .deviceFailure),
        (10, .gatewayTargetFailed), (11, .gatewayTargetFailed),
    ])
    func exceptions(code: UInt8, reason: QualityReason) async throws {
        let server = FakeServer { [.send($0.exception(code))] }
        defer { server.stop() }
        let points = [uintPoint("p", 0), uintPoint("q", 1)]
        try await DriverRun.with(tcpBus(server.port, [ModbusDevice(identifier: a, unitIdentifier: 1, points: points)])) { run in
            let reading = try #require(await run.reading())
            #expect(reading.samples.map(\.quality) == [.bad(reason), .bad(reason)])
        }
    }

    @Test("a silent device is bad at once, the other goes on, and the silent one comes back good")
    func silentDevice() async throws {
        let isSilent = Mutex(true)
        let server = FakeServer { request in
            request.unit == 2 && isSilent.withLock { $0 } ? [.silence] : [.send(request.values { UInt16($0) })]
        }
        defer { server.stop() }
        let points = [uintPoint("p", 7)]
        var bus = tcpBus(server.port, timeout: .milliseconds(150), [
            ModbusDevice(identifier: a, unitIdentifier: 1, points: points),
            ModbusDevice(identifier: b, unitIdentifier: 2, points: points),
        ])
        bus.retries = 1
        try await DriverRun.with(bus) { run in
            let bad = try #require(await run.reading { $0.device == b })
            #expect(bad["p"]?.quality == .bad(.timeout))
            // One report, however often the device is probed meanwhile.
            var good = 0
            while let reading = await run.reading(), good < 20 {
                #expect(reading.device == a)
                if reading.isGood { good += 1 }
            }
            let status = run.driver.status().devices
            #expect(status[0].quality == .good && status[1].quality == .bad(.timeout))
            #expect(status[1].backOff != nil)
            isSilent.withLock { $0 = false }
            let back = try #require(await run.reading { $0.device == b })
            #expect(back["p"]?.value == .uint(7) && back.isGood)
        }
    }

    @Test("a device that is silent about some registers only ends up with those bad and the others good")
    func silentBlock() async throws {
        let server = FakeServer { $0.address == 500 ? [.silence] : [.send($0.values { UInt16($0) })] }
        defer { server.stop() }
        let points = [uintPoint("p", 7), uintPoint("silent", 500), uintPoint("q", 900)]
        var bus = tcpBus(server.port, timeout: .milliseconds(100), [ModbusDevice(identifier: a, unitIdentifier: 1, points: points)])
        bus.retries = 0
        try await DriverRun.with(bus) { run in
            let all = try #require(await run.reading())
            #expect(all.samples.map(\.quality) == Array(repeating: .bad(.timeout), count: 3))
            let some = try #require(await run.reading { $0.samples.count == 3 })
            #expect(some["p"]?.value == .uint(7) && some["q"]?.value == .uint(900))
            #expect(some["silent"]?.quality == .bad(.timeout))
            for _ in 0..<10 {
                let next = try #require(await run.reading())
                #expect(next.samples.map(\.point) == ["p", "q"] && next.isGood)
            }
        }
    }

    @Test("a connection that the other side closes is opened anew without a bad value")
    func closedConnection() async throws {
        // Hangs up after each answer.
        let server = FakeServer { [.send($0.values { UInt16($0) }), .close] }
        defer { server.stop() }
        try await DriverRun.with(
            tcpBus(server.port, [ModbusDevice(identifier: a, unitIdentifier: 1, points: [uintPoint("p", 7)])])
        ) { run in
            for _ in 0..<5 { #expect(await run.reading()?["p"]?.value == .uint(7)) }
        }
    }

    @Test("a server that hangs up instead of answering makes one device bad, not the line")
    func hangsUp() async throws {
        let server = FakeServer { $0.unit == 2 ? [.close] : [.send($0.values { UInt16($0) })] }
        defer { server.stop() }
        let points = [uintPoint("p", 7)]
        try await DriverRun.with(
            tcpBus(server.port, [
                ModbusDevice(identifier: a, unitIdentifier: 1, points: points),
                ModbusDevice(identifier: b, unitIdentifier: 2, points: points),
            ])
        ) { run in
            var isBad = false
            for _ in 0..<20 {
                let reading = try #require(await run.reading())
                #expect(reading.isGood == (reading.device == a))
                if reading.device == b { isBad = reading["p"]?.quality == .bad(.notConnected) }
            }
            #expect(isBad)
        }
    }

    @Test("an answer that comes late is never taken for the next one")
    func lateAnswer() async throws {
        // Sits on every fifth answer and then sends it before the next one's, as a gateway with a queue may.
        let held = Mutex<[UInt8]>([])
        let server = FakeServer { request in
            let answer = request.values { UInt16($0) }
            switch request.number % 5 {
            case 0:
                held.withLock { $0 = answer }
                return [.silence]
            case 1: return [.send(held.withLock { $0 }), .send(answer)]
            default: return [.send(answer)]
            }
        }
        defer { server.stop() }
        let points = (0..<20).map { uintPoint("p\($0)", 100 * $0) }
        var bus = tcpBus(server.port, timeout: .milliseconds(50), [ModbusDevice(identifier: a, unitIdentifier: 1, points: points)])
        bus.maxGap = 0
        bus.retries = 5
        try await DriverRun.with(bus) { run in
            for _ in 0..<3 {
                for sample in try #require(await run.reading { $0.isGood }).samples {
                    #expect(sample.value == .uint(UInt64(sample.point.dropFirst()).map { $0 * 100 } ?? .max))
                }
            }
        }
    }

    @Test("a port that nobody listens on makes every device bad at once, and good when somebody does")
    func refused() async throws {
        let (listener, port) = FakeServer.listen(port: 0, backlog: 1)
        close(listener)
        let devices = [a, b].map { ModbusDevice(identifier: $0, unitIdentifier: 1, points: [uintPoint("p", 7)]) }
        try await DriverRun.with(tcpBus(port, devices)) { run in
            let bad = [try #require(await run.reading()), try #require(await run.reading())]
            #expect(Set(bad.map(\.device)) == [a, b])
            #expect(bad.allSatisfy { $0["p"]?.quality == .bad(.notConnected) })
            #expect(await run.event { if case .openFailed = $0 { true } else { false } } != nil)
            let server = FakeServer(port: port) { [.send($0.values { UInt16($0) })] }
            defer { server.stop() }
            #expect(await run.reading { $0.device == a && $0.isGood } != nil)
            #expect(await run.reading { $0.device == b && $0.isGood } != nil)
        }
    }

    @Test("a host that swallows packets holds the line up no longer than the time-out")
    func blackHole() async throws {
        // A listener whose queue is full does not answer a SYN.
        let (listener, port) = FakeServer.listen(port: 0, backlog: 0)
        var waiting: [Int32] = []
        defer { for socket in waiting + [listener] { close(socket) } }
        for _ in 0..<4 {
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            address.sin_port = UInt16(port).bigEndian
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            waiting.append(client)
        }
        var bus = tcpBus(port, timeout: .milliseconds(100), [
            ModbusDevice(identifier: a, unitIdentifier: 1, points: [uintPoint("p", 0)])
        ])
        bus.retries = 0
        let started = SystemClock.monotonic()
        try await DriverRun.with(bus) { run in
            #expect(await run.reading()?["p"]?.quality == .bad(.notConnected))
            // Far below the two minutes that the system would wait.
            #expect(SystemClock.monotonic() - started < .seconds(5))
        }
    }

    /// In a process of its own: meanwhile nothing else there could open a line.
    @Test("a line still works when the process has more descriptors than select() can take")
    func manyDescriptors() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = min(limit.rlim_max, 4096)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            try #require(limit.rlim_cur >= 1400)
            let server = FakeServer { [.send($0.values { UInt16($0) }), .close] }
            defer { server.stop() }
            let device = ModbusDevice(identifier: deviceName("a"), unitIdentifier: 1, points: [uintPoint("p", 7)])
            try await DriverRun.with(tcpBus(server.port, [device])) { run in
                #expect(await run.reading()?["p"]?.value == .uint(7))
                let descriptors = (0..<1100).map { _ in open("/dev/null", O_RDONLY) }
                defer { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }
                try #require((descriptors.last ?? 0) >= 1024)
                for _ in 0..<10 { #expect(await run.reading()?["p"]?.value == .uint(7)) }
            }
        }
    }
}
