import Glibc

/// Finds the device file of a serial port by what a configuration calls it.
///
/// | the name | is |
/// |---|---|
/// | with a `/` | a path; a stable one is below /dev/serial/by-id or /dev/serial/by-path |
/// | `RS485-1` | a port of the board profile, whose path may be any of these again |
/// | `usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0` | an adapter by its identity (udev's link in /dev/serial/by-id) |
/// | `platform-…-usb-0:1.2:1.0-port0` | a socket by its place (udev's link in /dev/serial/by-path) |
/// | `ttyS1` | a file in /dev |
///
/// The number in `ttyUSB0` depends on the order in which adapters were found, so it may be another one after a restart.
public struct SerialPortName: Sendable {
    /// The ports that the board profile names: name and path.
    public var boardPorts: [(name: String, path: String)]
    /// What stands before /dev and /sys: empty but in tests.
    public var root: String

    public init(boardPorts: [(name: String, path: String)] = [], root: String = "") {
        self.boardPorts = boardPorts
        self.root = root
    }

    /// The path to open now. An adapter that is plugged in again may have another one, so it is asked before every opening.
    ///
    /// - Throws: there is no such port; the message lists those that there are.
    public func path(of name: String) throws(FieldBusError) -> String {
        var name = name
        if let port = boardPorts.first(where: { $0.name == name }) { name = port.path }
        if let path = existingPath(name) { return path }
        throw .unavailable(what: "serial port \(name)", detail: "there is none; there are \(listing)")
    }

    /// What two names of one port have in common: its device file as far as it is there now, else the path that the name stands for.
    public func identity(of name: String) -> String {
        let name = boardPorts.first { $0.name == name }?.path ?? name
        if let path = existingPath(name), let file = realpath(path, nil) {
            defer { free(file) }
            return String(cString: file)
        }
        return name.contains("/") ? name : "/dev/\(name)"
    }

    /// Every port that there is, by its most stable name.
    public var all: [String] {
        var names = boardPorts.filter { existingPath($0.path) != nil }.map(\.name)
        for folder in Self.folders { names += entries(of: folder) }
        return names + entries(of: "/sys/class/tty").filter { access("\(root)/sys/class/tty/\($0)/device", F_OK) == 0 }
    }

    private static let folders = ["/dev/serial/by-id", "/dev/serial/by-path"]
    private static let maxListed = 20

    private func existingPath(_ name: String) -> String? {
        let candidates = name.contains("/") ? [name] : (Self.folders + ["/dev"]).map { "\($0)/\(name)" }
        return candidates.map { root + $0 }.first { access($0, F_OK) == 0 }
    }

    private var listing: String {
        let names = all
        guard !names.isEmpty else { return "none at all" }
        return names.prefix(Self.maxListed).joined(separator: ", ") + (names.count > Self.maxListed ? ", …" : "")
    }

    private func entries(of folder: String) -> [String] { DirectoryListing.names(in: root + folder) }
}
