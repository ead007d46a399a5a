import Core
import Glibc

/// An open line, whatever it is made of.
protocol TextStream: AnyObject {
    /// For poll().
    var descriptor: Int32 { get }
    /// What has come; empty if nothing has.
    ///
    /// - Throws: the line is gone.
    func read() throws(FieldBusError) -> [UInt8]
    /// Writes all, waiting for room until `deadline`.
    func write(_ bytes: [UInt8], deadline: MonotonicTime) throws(FieldBusError)
}

final class SerialStream: TextStream {
    private let port: SerialPort
    var descriptor: Int32 { port.descriptor }

    init(_ line: SerialLine) throws(FieldBusError) { port = try line.open() }

    func read() throws(FieldBusError) -> [UInt8] { try port.read() }
    func write(_ bytes: [UInt8], deadline: MonotonicTime) throws(FieldBusError) { try port.write(bytes, deadline: deadline) }
}

final class TCPStream: TextStream {
    let descriptor: Int32

    init(host: String, port: Int, timeout: Duration) throws(FieldBusError) {
        do throws(RequestFailure) {
            descriptor = try TCPClientSocket.open(host: host, port: port, timeout: timeout)
        } catch {
            throw .unavailable(what: "connection", detail: error.detail)
        }
    }

    deinit { close(descriptor) }

    func read() throws(FieldBusError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count > 0 { return Array(bytes[..<count]) }
        if count < 0, errno == EAGAIN || errno == EINTR { return [] }
        let detail = count == 0 ? "the other side closed it" : String(cString: strerror(errno))
        throw .unavailable(what: "connection", detail: detail)
    }

    func write(_ bytes: [UInt8], deadline: MonotonicTime) throws(FieldBusError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            let code = errno
            guard code == EAGAIN || code == EINTR else {
                throw .unavailable(what: "connection", detail: String(cString: strerror(code)))
            }
            let left = deadline - SystemClock.monotonic()
            guard left > .zero else { throw .unavailable(what: "connection", detail: "the other side takes nothing") }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&entry, 1, Int32(clamping: left.wholeMilliseconds + 1))
        }
    }
}
