import Glibc

/// Ends a poll() of another thread: its descriptor is readable from a ``signal()`` to the next ``clear()``.
// @unchecked Sendable: the descriptors do not change, and the kernel takes reads and writes from any thread.
final class WakeUp: @unchecked Sendable {
    let descriptor: Int32
    private let writer: Int32

    init() throws(FieldBusError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .unavailable(what: "pipe", detail: String(cString: strerror(errno))) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        descriptor = ends[0]
        writer = ends[1]
    }

    deinit {
        close(descriptor)
        close(writer)
    }

    func signal() {
        var byte: UInt8 = 1
        // A full pipe wakes up as well.
        _ = write(writer, &byte, 1)
    }

    func clear() {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            while read(descriptor, buffer.baseAddress, 256) == 256 {}
        }
    }
}
