import Core
import Glibc

/// Opens TCP connections with one time limit for all addresses of a host, which libmodbus would apply to each.
enum TCPClientSocket {
    /// A connected, non-blocking socket.
    ///
    /// Looking up a host name is not part of the time limit: the C library has its own for that.
    static func open(host: String, port: Int, timeout: Duration) throws(RequestFailure) -> Int32 {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var addresses: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &addresses)
        guard code == 0, let first = addresses else { throw .openFailed("\(host): \(String(cString: gai_strerror(code)))") }
        defer { freeaddrinfo(first) }

        let deadline = SystemClock.monotonic() + timeout
        var problem: Int32 = EADDRNOTAVAIL
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let address = next {
            next = address.pointee.ai_next
            let socket = Glibc.socket(
                address.pointee.ai_family,
                Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard socket >= 0 else {
                problem = errno
                continue
            }
            problem = connect(socket, address.pointee, deadline: deadline)
            if problem == 0 {
                set(socket)
                return socket
            }
            close(socket)
            if SystemClock.monotonic() >= deadline { break }
        }
        throw .openFailed("\(host) port \(port): \(String(cString: strerror(problem)))")
    }

    /// No Nagle's delay, and a peer that has vanished without a word is noticed: an idle one after a minute, one that a
    /// request was sent to after ten seconds.
    private static func set(_ socket: Int32) {
        let options: [(level: Int32, name: Int32, value: Int32)] = [
            (Int32(IPPROTO_TCP), TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1), (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30),
            (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10), (Int32(IPPROTO_TCP), TCP_KEEPCNT, 3),
            (Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 10_000),
        ]
        for option in options {
            var value = option.value
            setsockopt(socket, option.level, option.name, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// 0, or the errno of what failed.
    private static func connect(_ socket: Int32, _ address: addrinfo, deadline: MonotonicTime) -> Int32 {
        if Glibc.connect(socket, address.ai_addr, address.ai_addrlen) == 0 { return 0 }
        guard errno == EINPROGRESS else { return errno }
        while true {
            let left = (deadline - SystemClock.monotonic()).wholeNanoseconds
            guard left > 0 else { return ETIMEDOUT }
            var entry = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&entry, 1, Int32(clamping: (left + 999_999) / 1_000_000))
            if ready < 0, errno != EINTR { return errno }
            if ready > 0 { break }
        }
        var problem: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 else { return errno }
        return problem
    }
}
