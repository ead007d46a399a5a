import Core
import FieldBus
import Testing

@Suite("GPIO lines")
struct GPIOLineTests {
    static let chips = [
        GPIOChip(
            path: "/dev/gpiochip0", label: "pinctrl-bcm2711",
            lines: [.init(name: "ID_SDA"), .init(name: "GPIO1", consumer: "spi0"), .init(name: "TWICE"), .init(name: "")]),
        GPIOChip(path: "/dev/gpiochip1", label: "raspberrypi-exp-gpio", lines: [.init(name: "TWICE"), .init(name: "BT_ON")]),
    ]

    @Test(
        "a line is found by its name, or by chip and offset or name",
        arguments: [
            ("BT_ON", "gpiochip1", 1), ("gpiochip0:3", "gpiochip0", 3), ("/dev/gpiochip0:0", "gpiochip0", 0),
            ("raspberrypi-exp-gpio:BT_ON", "gpiochip1", 1), ("pinctrl-bcm2711:TWICE", "gpiochip0", 2), ("DI1", "gpiochip0", 1),
        ])
    func found(text: String, chip: String, offset: Int) throws {
        let line = try GPIOLineAddress(text).resolve(
            among: Self.chips, boardLines: ["DI1": GPIOLineAddress("pinctrl-bcm2711:1")])
        #expect(line.chip.name == chip)
        #expect(line.offset == offset)
    }

    @Test(
        "what is not there is said with what is",
        arguments: [
            ("DI9", "there is no line DI9; there are ID_SDA, GPIO1, TWICE, TWICE, BT_ON"),
            ("gpiochip7:1", "there is no chip gpiochip7; there are gpiochip0 (pinctrl-bcm2711), gpiochip1 (raspberrypi-exp-gpio)"),
            ("gpiochip1:2", "gpiochip1 has the offsets 0 to 1"),
            ("TWICE", "several lines have this name: gpiochip0:2, gpiochip1:0"),
            ("", "there is no line ; there are ID_SDA, GPIO1, TWICE, TWICE, BT_ON"),
        ])
    func missing(text: String, message: String) {
        #expect(throws: FieldBusError.unavailable(what: "GPIO line \(text)", detail: message)) {
            try GPIOLineAddress(text).resolve(among: Self.chips)
        }
    }

    @Test("names of one line have one identity, as far as it is there", arguments: [
        ("BT_ON", "/dev/gpiochip1:1"), ("raspberrypi-exp-gpio:1", "/dev/gpiochip1:1"), ("DI1", "/dev/gpiochip0:1"),
        ("gpiochip7:03", "/dev/gpiochip7:3"), ("/dev/gpiochip7:3", "/dev/gpiochip7:3"), ("DI2", "/dev/gpiochip7:3"), ("DI9", "DI9"),
    ])
    func identity(text: String, expected: String) {
        let boardLines = ["DI1": GPIOLineAddress("pinctrl-bcm2711:1"), "DI2": GPIOLineAddress("gpiochip7:3")]
        #expect(GPIOLineAddress(text).identity(among: Self.chips, boardLines: boardLines) == expected)
    }

    @Test("a machine without chips says so")
    func noChips() {
        #expect(throws: FieldBusError.unavailable(what: "GPIO line DI1", detail: "this machine has no GPIO chip")) {
            try GPIOLineAddress("DI1").resolve(among: [])
        }
    }

    @Test("the time of day of an edge is as long ago as the edge itself")
    func wallTime() {
        let edge = GPIOEdge(level: true, time: MonotonicTime(nanoseconds: 1_000_000_000))
        let time = edge.wallTime(now: MonotonicTime(nanoseconds: 1_250_000_000), wall: Timestamp(milliseconds: 5000))
        #expect(time == Timestamp(milliseconds: 4750))
    }

    @Test("an input that is active low has the opposite of its voltage")
    func activeLow() throws {
        let chips = SimulatedGPIOChips(Self.chips)
        var settings = GPIOLineSettings(direction: .input(edges: true))
        settings.activeLow = true
        let line = try chips.request(Self.chips[0], offset: 0, settings, consumer: "test")
        #expect(try line.level())
        chips.drive("gpiochip0", 0, high: true, at: .zero)
        #expect(try !line.level())
        #expect(try line.edges().edges == [GPIOEdge(level: false, time: .zero, sequence: 1)])
    }

    @Test("the machine's own chips can be asked for")
    func realChips() {
        // Most machines that run this have none: what counts is that asking works, and that a request fails in words.
        let chips = LibgpiodChips()
        for chip in chips.all() { #expect(chip.path.hasPrefix("/dev/gpiochip")) }
        let none = GPIOChip(path: "/dev/null", label: "", lines: [])
        #expect(throws: FieldBusError.self) {
            try chips.request(none, offset: 0, GPIOLineSettings(direction: .input(edges: true)), consumer: "test")
        }
    }
}
