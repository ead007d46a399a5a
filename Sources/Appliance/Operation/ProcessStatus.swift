import Glibc

/// What the system says of this process: Linux proc(5).
struct ProcessStatus: Sendable {
    var residentBytes = 0
    /// Of those, what belongs to no file: heap and stacks.
    var anonymousBytes = 0
    var virtualBytes = 0
    var cpuSeconds = 0.0
    var openFiles = 0
    var maximumOpenFiles = 0

    /// Reads it. What cannot be read is 0.
    static func now() -> ProcessStatus {
        var status = memory()
        var time = timespec()
        if clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 {
            status.cpuSeconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            status.maximumOpenFiles = Int(clamping: limit.rlim_cur)
        }
        if let directory = opendir("/proc/self/fd") {
            while readdir(directory) != nil { status.openFiles += 1 }
            closedir(directory)
            // `.`, `..` and the directory itself.
            status.openFiles = max(0, status.openFiles - 3)
        }
        return status
    }

    /// Reads what it says of memory alone.
    static func memory() -> ProcessStatus {
        var status = ProcessStatus()
        for line in text(of: "/proc/self/status").split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard fields.count >= 2, let kibibytes = Int(fields[1]) else { continue }
            switch fields[0] {
            case "VmRSS:": status.residentBytes = kibibytes * 1024
            case "RssAnon:": status.anonymousBytes = kibibytes * 1024
            case "VmSize:": status.virtualBytes = kibibytes * 1024
            default: break
            }
        }
        return status
    }

    private static func text(of path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
    }
}
