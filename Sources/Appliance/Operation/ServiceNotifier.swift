import Core
import Glibc

/// Tells the service manager how the program is doing: the datagrams of sd_notify(3), without its library. Does nothing where
/// there is no service manager.
enum ServiceNotifier {
    static func ready() { send("READY=1") }

    /// To be followed by ``ready()``.
    static func reloading() {
        send("RELOADING=1\nMONOTONIC_USEC=\(SystemClock.monotonic().nanoseconds / 1000)")
    }

    static func stopping() { send("STOPPING=1") }

    /// Sends one datagram to `$NOTIFY_SOCKET`: a path, or an abstract name that begins with `@`.
    static func send(_ state: String, to socketName: String? = getenv("NOTIFY_SOCKET").map { String(cString: $0) }) {
        guard let socketName, socketName.hasPrefix("/") || socketName.hasPrefix("@") else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socketName.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        var text = Array(state.utf8)
        _ = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(descriptor, &text, text.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }
}
