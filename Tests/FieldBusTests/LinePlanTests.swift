import Core
import Testing

@testable import FieldBus

struct LinePlanTests {
    func bus(_ transport: ModbusTransport) -> ModbusBus {
        var bus = ModbusBus(name: "line", transport: transport)
        bus.devices = [
            ModbusDevice(
                identifier: deviceName("a"), unitIdentifier: 3,
                points: [uintPoint("x", 0, .seconds(1)), uintPoint("y", 4, .seconds(1)), uintPoint("z", 100, .seconds(2))])
        ]
        return bus
    }

    func serial(_ baudRate: Int) -> ModbusTransport {
        var line = SerialLine(serialPort: "/dev/ttyS1")
        line.baudRate = baudRate
        return .rtu(line)
    }

    @Test("frames, holes and times of a serial line are those that the standard gives")
    func serialLine() throws {
        // 9600 baud, 11 bits: 1.1458 ms a character.
        let plan = LinePlan(bus(serial(9600)), answerTime: .milliseconds(10))
        try #require(plan.requests.count == 2)
        let first = plan.requests[0]
        #expect(first.quantity == 5 && first.points == 2 && first.unused == 3)
        #expect(first.requestBytes == 8 && first.answerBytes == 15)
        let character = 11.0 / 9600
        let expected = 23 * character + 3.5 * character + 0.010
        #expect(abs(Double(first.duration.wholeNanoseconds) / 1e9 - expected) < 1e-6)
        #expect(plan.requests[1].answerBytes == 7)
        let second = 15 * character + 3.5 * character + 0.010
        #expect(abs(plan.utilisation - (expected + second / 2)) < 1e-6)
        #expect(plan.cycle == plan.requests[0].duration + plan.requests[1].duration)
        #expect(plan.lineTime < plan.cycle)
    }

    @Test("a poll takes as long as its request, with the delays of a transceiver and the pause that a device needs")
    func polls() {
        var slow = bus(turned { $0.rs485 = RS485(); $0.rs485?.delayAfterSend = .milliseconds(30) })
        slow.pause = .milliseconds(50)
        let requests = LinePlan(slow, answerTime: LinePlan.usualAnswerTime).requests
        #expect(slow.polls.map(\.duration) == requests.map(\.duration) && requests[0].duration > .milliseconds(80))
        #expect(slow.polls.map { $0.points.map { "\($0.identifier)" } } == [["x", "y"], ["z"]])
    }

    @Test("a device that answers at once still costs the silence before its answer")
    func silence() {
        let plan = LinePlan(bus(serial(9600)), answerTime: .zero)
        #expect(plan.lineTime == plan.cycle)
    }

    /// The line of ``serial(_:)`` at 9600 baud with a transceiver.
    func turned(_ change: (inout SerialLine) -> Void) -> ModbusTransport {
        var line = SerialLine(serialPort: "/dev/ttyS1")
        change(&line)
        return .rtu(line)
    }

    @Test("the delays of a transceiver that the kernel turns are in each request, in whole milliseconds")
    func kernelDelays() {
        var rs485 = RS485()
        rs485.delayBeforeSend = .microseconds(1200)
        rs485.delayAfterSend = .microseconds(29_500)
        let plain = LinePlan(bus(serial(9600)), answerTime: .milliseconds(10))
        let plan = LinePlan(bus(turned { $0.rs485 = rs485 }), answerTime: .milliseconds(10))
        // 2 ms before each of the two requests; the 30 ms behind it are longer than the device's 10 ms.
        #expect(plan.cycle == plain.cycle + .milliseconds(2 * (2 + 20)))
        #expect(plan.lineTime == plan.cycle)
        #expect(abs(plan.utilisation - plain.utilisation - 0.022 * 1.5) < 1e-9)
    }

    @Test("so are those of a GPIO line; what passes while the device thinks costs nothing")
    func lineDelays() {
        var line = RS485Line(GPIOLineAddress("DE"))
        line.delayBeforeSend = .microseconds(1500)
        line.delayAfterSend = .milliseconds(8)
        let plain = LinePlan(bus(serial(9600)), answerTime: .milliseconds(10))
        let plan = LinePlan(bus(turned { $0.rs485Line = line }), answerTime: .milliseconds(10))
        #expect(plan.cycle == plain.cycle + .milliseconds(3))
    }

    @Test("a pause between requests is counted, the silence being part of it")
    func pause() {
        var bus = bus(serial(9600))
        let plain = LinePlan(bus, answerTime: .milliseconds(10))
        bus.pause = .milliseconds(3)
        #expect(LinePlan(bus, answerTime: .milliseconds(10)).cycle == plain.cycle)
        bus.devices[0].pause = .milliseconds(20)
        let silence = SerialTiming(SerialLine(serialPort: "/dev/ttyS1")).silence
        #expect(LinePlan(bus, answerTime: .milliseconds(10)).cycle == plain.cycle + (.milliseconds(20) - silence) * 2)
    }

    @Test("a line that is too slow shows it")
    func tooSlow() { #expect(LinePlan(bus(serial(110)), answerTime: .zero).utilisation > 1) }

    @Test("Modbus TCP counts its own header")
    func tcp() {
        let plan = LinePlan(bus(.tcp(host: "h", port: 502)), answerTime: .milliseconds(4))
        #expect(plan.requests.map(\.requestBytes) == [12, 12])
        #expect(plan.requests.map(\.answerBytes) == [19, 11])
        #expect(plan.cycle == .milliseconds(8))
    }
}
