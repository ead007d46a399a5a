import Glibc

/// What this process has written: proc(5), /proc/self/io. 0 where the kernel does not say.
public struct WrittenBytes: Sendable {
    /// Bytes given to `write` and the like, whatever the file lies on.
    public var given: Int64 = 0
    /// Bytes that the process has caused to be written to a disk, which are whole blocks.
    public var toDisk: Int64 = 0

    public static var now: WrittenBytes {
        var written = WrittenBytes()
        let descriptor = open("/proc/self/io", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return written }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return written }
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
            if line.hasPrefix("wchar: ") { written.given = Int64(line.dropFirst(7)) ?? 0 }
            if line.hasPrefix("write_bytes: ") { written.toDisk = Int64(line.dropFirst(13)) ?? 0 }
        }
        return written
    }
}
