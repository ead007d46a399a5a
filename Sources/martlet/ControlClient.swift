import Appliance
import Glibc

/// Asks a box that runs, over the Unix socket in its data directory: HTTP/1.1, one request a connection.
struct ControlClient {
    let path: String

    /// - Parameter directory: the box's data directory.
    init(directory: String) { path = directory + "/" + ControlSocket.name }

    struct Answer {
        /// By names in lower case.
        var headers: [String: String]
        var body: [UInt8]
    }

    /// Whether somebody listens there.
    var isThere: Bool {
        guard let descriptor = try? connect() else { return false }
        close(descriptor)
        return true
    }

    func get(_ target: String) throws(ControlClientError) -> Answer { try ask("GET", target) }

    func post(_ target: String) throws(ControlClientError) -> Answer { try ask("POST", target) }

    private func ask(_ method: String, _ target: String) throws(ControlClientError) -> Answer {
        let descriptor = try connect()
        defer { close(descriptor) }
        let request = Array("\(method) \(target) HTTP/1.1\r\nHost: martlet\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        var sent = 0
        while sent < request.count {
            let count = request[sent...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw ControlClientError("\(path): \(String(cString: strerror(errno)))") }
            sent += count
        }
        return try answer(try everything(descriptor))
    }

    private func connect() throws(ControlClientError) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw ControlClientError("\(path) is too long for a socket") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ControlClientError("socket: \(String(cString: strerror(errno)))") }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw ControlClientError("\(path): \(String(cString: strerror(code)))")
        }
        return descriptor
    }

    private func everything(_ descriptor: CInt) throws(ControlClientError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw ControlClientError("\(path): \(String(cString: strerror(errno)))")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private func answer(_ bytes: [UInt8]) throws(ControlClientError) -> Answer {
        guard let end = bytes.firstRange(of: [13, 10, 13, 10]) else { throw ControlClientError("\(path): the answer is cut short") }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let body = Array(bytes[end.upperBound...])
        let status = head.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        guard status == 200 else {
            throw ControlClientError(String(decoding: body.prefix { $0 != 10 }, as: UTF8.self))
        }
        var headers: [String: String] = [:]
        for line in head.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        guard headers["content-length"].flatMap({ Int($0) }).map({ $0 == body.count }) ?? true else {
            throw ControlClientError("\(path): the answer is cut short")
        }
        return Answer(headers: headers, body: body)
    }
}

/// Why a box did not do what was asked.
struct ControlClientError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
