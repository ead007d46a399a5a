import FieldBus
import TestSupport
import Testing

@Suite("Serial port names")
struct SerialPortNameTests {
    private let folder = TestFolder()
    private let names: SerialPortName

    init() {
        for path in ["dev/ttyS1", "dev/ttyUSB0", "dev/serial/by-id/usb-FTDI_A50285BI-if00-port0", "dev/serial/by-path/platform-usb-0:1.2"] {
            folder.write(path, "")
        }
        folder.write("sys/class/tty/ttyS1/device", "")
        folder.write("sys/class/tty/tty0/dev", "")
        names = SerialPortName(
            boardPorts: [("RS485-1", "/dev/ttyS1"), ("USB", "usb-FTDI_A50285BI-if00-port0"), ("RS232", "/dev/ttyS9")],
            root: folder.path)
    }

    @Test(
        "a port is found by any of its names",
        arguments: [
            ("/dev/ttyS1", "/dev/ttyS1"), ("ttyS1", "/dev/ttyS1"), ("RS485-1", "/dev/ttyS1"),
            ("usb-FTDI_A50285BI-if00-port0", "/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0"),
            ("USB", "/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0"),
            ("platform-usb-0:1.2", "/dev/serial/by-path/platform-usb-0:1.2"),
        ])
    func isFound(name: String, path: String) throws {
        #expect(try names.path(of: name) == folder.path + path)
    }

    @Test("a name that is not there lists what there is")
    func unknown() {
        #expect(
            throws: FieldBusError.unavailable(
                what: "serial port RS485-2",
                detail: "there is none; there are RS485-1, USB, usb-FTDI_A50285BI-if00-port0, platform-usb-0:1.2, ttyS1")
        ) { try names.path(of: "RS485-2") }
    }

    @Test("a board's port that is not there says its path")
    func missingBoardPort() {
        do {
            _ = try names.path(of: "RS232")
            Issue.record("found")
        } catch {
            #expect("\(error)".hasPrefix("serial port /dev/ttyS9: there is none"))
        }
    }
}
