import Configuration
import FieldBus
import TestSupport
import Testing

@testable import Appliance

@Suite("Buses that get in each other's way")
struct BusConnectionsTests {
    private func found(_ buses: [(protocol: String, keys: String)], board: String = "") throws -> (errors: [String], warnings: [String]) {
        let folder = TestFolder()
        folder.write("board.toml", "name = \"b\"\n\(board)")
        var text = "[appliance]\nboard = \"board.toml\"\n"
        for (number, bus) in buses.enumerated() { text += "[[bus]]\nname = \"b\(number)\"\nprotocol = \"\(bus.protocol)\"\n\(bus.keys)\n" }
        let file = folder.write("martlet.toml", text)
        func short(_ text: String) -> String { text.replacing("\(file):", with: "") }
        do throws(ConfigurationErrors) {
            let plan = try AppliancePlan(MartletConfiguration.load(path: file, drivers: Drivers.catalogue))
            return ([], plan.warnings.map { short($0.description) })
        } catch {
            return (error.errors.map { short($0.description) }, [])
        }
    }

    @Test("one serial port has one bus, by whatever name and protocol", arguments: [
        ("/dev/martlet-none", "/dev/martlet-none", ""), ("/dev/martlet-none", "martlet-none", ", which calls it \"/dev/martlet-none\""),
        ("RS485-1", "/dev/martlet-none", ", which calls it \"RS485-1\""), ("/dev/null", "/dev/../dev/null", ", which calls it \"/dev/null\""),
    ])
    func serialPorts(first: String, second: String, alias: String) throws {
        let board = "[[serial-port]]\nname = \"RS485-1\"\npath = \"/dev/martlet-none\"\n"
        for name in ["modbus-rtu", "serial-text"] {
            let found = try found([("modbus-rtu", "serial-port = \"\(first)\""), (name, "serial-port = \"\(second)\"")], board: board)
            #expect(
                found.errors == [
                    "10:15: serial port \"\(second)\" is that of bus \"b0\" at line 3 already\(alias); devices of one line are devices of one bus"
                ])
        }
        #expect(try found([("modbus-rtu", "serial-port = \"\(first)\""), ("modbus-rtu", "serial-port = \"/dev/tty9\"")], board: board).errors == [])
    }

    @Test("a host that answers several clients is odd on two buses, a serial line behind one a mistake")
    func hosts() throws {
        let two = try found([("modbus-tcp", "host = \"gate\""), ("modbus-tcp", "host = \"GATE\"\nport = 502")])
        #expect(two.errors == [] && two.warnings.count == 1)
        #expect(two.warnings.first?.hasPrefix("10:8: warning: port 502 of GATE is that of bus \"b0\" at line 3 too: ") == true)
        let line = try found([("modbus-tcp", "host = \"gate\""), ("modbus-rtu-tcp", "host = \"gate\"")])
        #expect(line.errors == ["10:8: port 502 of gate is the serial line of bus \"b0\" at line 3 already; devices of one line are devices of one bus"])
        let apart = try found([("modbus-rtu-tcp", "host = \"gate\"\nport = 4001"), ("modbus-rtu-tcp", "host = \"gate\"\nport = 4002")])
        #expect(apart.errors == [] && apart.warnings == [])
    }

    @Test("two lines of text from one host are odd only if both ask")
    func text() throws {
        let listens = "host = \"gate\"\nport = 4001"
        let asks = listens + "\nrequest = \"W\""
        #expect(try found([("serial-text", listens), ("serial-text", listens)]).warnings == [])
        #expect(try found([("serial-text", asks), ("serial-text", listens)]).warnings == [])
        #expect(try found([("serial-text", asks), ("serial-text", asks)]).warnings.filter { $0.contains("requests do not wait") }.count == 1)
    }

    @Test("one host is one host, however it is written", arguments: [
        ("localhost", "127.0.0.1"), ("127.0.0.1", "localhost."), ("::1", "LOCALHOST"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:DB8:0:0::1"),
    ])
    func hostsByOtherNames(first: String, second: String) throws {
        let two = try found([("modbus-tcp", "host = \"\(first)\""), ("modbus-tcp", "host = \"\(second)\"")])
        #expect(two.warnings.count == 1)
        #expect(two.warnings.first?.hasPrefix("10:8: warning: port 502 of \(second) is that of bus \"b0\" at line 3 too, which calls it port 502 of \(first): ") == true)
        let line = try found([("modbus-rtu-tcp", "host = \"\(first)\""), ("modbus-rtu-tcp", "host = \"\(second)\"")])
        #expect(line.errors.count == 1)
        #expect(try found([("modbus-rtu-tcp", "host = \"\(first)\""), ("modbus-rtu-tcp", "host = \"127.0.0.2\"")]).errors == [])
    }

    @Test("a GPIO line turns one transceiver, whatever it is called", arguments: [
        ("gpiochip9:18", "gpiochip9:18", ""), ("gpiochip9:18", "/dev/gpiochip9:018", ", which calls it \"gpiochip9:18\""),
        ("DE1", "gpiochip9:18", ", which calls it \"DE1\""), ("DE7", "DE7", ""),
    ])
    func lines(first: String, second: String, alias: String) throws {
        let board = "[[gpio-line]]\nname = \"DE1\"\nchip = \"gpiochip9\"\nline = \"18\"\n"
        func bus(_ port: Int, _ line: String) -> (protocol: String, keys: String) {
            ("modbus-rtu", "serial-port = \"/dev/martlet-\(port)\"\nrs485-line = \"\(line)\"")
        }
        #expect(
            try found([bus(1, first), bus(2, second)], board: board).errors == [
                "12:14: bus \"b1\": GPIO line \"\(second)\" is that of bus \"b0\" at line 3 already\(alias); only one can have it"
            ])
        #expect(try found([bus(1, first), bus(2, "gpiochip9:19")], board: board).errors == [])
    }

    @Test("a point's line turns no transceiver of another bus")
    func pointLine() throws {
        let points = """
            [[product]]
            key = "p"
            [[product.group]]
            name = "g"
            [[product.point]]
            identifier = "door"
            type = "BOOL"
            line = "gpiochip9:18"
            [[device]]
            product = "p"
            key = "d"
            bus = "b1"
            """
        let errors = try found([("modbus-rtu", "serial-port = \"/dev/x\"\nrs485-line = \"gpiochip9:18\""), ("gpio", points)]).errors
        #expect(errors.contains("18:8: bus \"b1\": GPIO line \"gpiochip9:18\" is that of bus \"b0\" at line 3 already; only one can have it"))
    }
}
