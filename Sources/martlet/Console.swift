import Glibc

/// Output for people.
enum Console {
    static func error(_ text: String) { emit(text, to: STDERR_FILENO) }

    static func print(_ text: String) { emit(text, to: STDOUT_FILENO) }

    private static func emit(_ text: String, to file: Int32) {
        let bytes = Array((text + "\n").utf8)
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            at += count
        }
    }
}
