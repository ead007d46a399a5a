import Glibc

/// What this process has written: proc(5), /proc/self/io. nil where the kernel does not say.
public enum WrittenBytes {
    /// Bytes given to `write` and the like, whatever the file lies on.
    static var given: Int64? { value("wchar: ") }

    /// Bytes that the process has caused to be written to a disk.
    public static var toDisk: Int64? { value("write_bytes: ") }

    private static func value(_ name: String) -> Int64? {
        let descriptor = open("/proc/self/io", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") where line.hasPrefix(name) {
            return Int64(line.dropFirst(name.count))
        }
        return nil
    }
}
