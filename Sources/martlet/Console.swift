import Glibc

/// Output for people.
enum Console {
    static func error(_ text: String) { try? write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    static func print(_ text: String) { try? write(Array((text + "\n").utf8)) }

    /// Writes all of it.
    ///
    /// - Throws: when whoever reads has gone, or the disk is full.
    static func write(_ bytes: [UInt8], to file: Int32 = STDOUT_FILENO) throws(OutputError) {
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw OutputError(reason: String(cString: strerror(errno))) }
            at += count
        }
    }
}

/// Output that does not get through.
struct OutputError: Error, CustomStringConvertible {
    var reason: String
    var description: String { "cannot write the output: \(reason)" }
}
