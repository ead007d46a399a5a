import Glibc

/// What a process has used of the processor so far, by thread, and its memory now. Linux' /proc.
struct ProcessUsage: Sendable {
    /// Scheduler run time in nanoseconds, by thread.
    private var runTimes: [String: UInt64]
    /// Resident set size in KiB.
    let residentKiB: Int
    /// The largest it ever was.
    let peakResidentKiB: Int

    /// Reads a process; nil if there is none of that number, or it belongs to somebody else.
    init?(process: Int32) {
        let folder = "/proc/\(process)"
        guard let status = ProcFile.read("\(folder)/status"),
            let resident = ProcessUsage.kibibytes("VmRSS:", status: status)
        else { return nil }
        residentKiB = resident
        peakResidentKiB = ProcessUsage.kibibytes("VmHWM:", status: status) ?? resident
        runTimes = [:]
        for thread in ProcFile.entries(of: "\(folder)/task") {
            guard let text = ProcFile.read("\(folder)/task/\(thread)/schedstat") else { continue }
            runTimes[thread] = ProcessUsage.runTime(schedstat: text)
        }
        if runTimes.isEmpty {
            // A kernel without scheduler statistics: in clock ticks, usually of 10 ms.
            guard let stat = ProcFile.read("\(folder)/stat"),
                let time = ProcessUsage.runTime(stat: stat, ticksPerSecond: UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
            else { return nil }
            runTimes["all"] = time
        }
    }

    init(runTimes: [String: UInt64], residentKiB: Int) {
        self.runTimes = runTimes
        self.residentKiB = residentKiB
        peakResidentKiB = residentKiB
    }

    /// Processor time in nanoseconds since an earlier reading. Of a thread that ended meanwhile nothing is known.
    func runTime(since earlier: ProcessUsage) -> UInt64 {
        runTimes.reduce(0) { sum, thread in
            let before = earlier.runTimes[thread.key] ?? 0
            return sum + (thread.value > before ? thread.value - before : 0)
        }
    }

    /// Nanoseconds on a processor: the first number of /proc/PID/task/TID/schedstat.
    static func runTime(schedstat: String) -> UInt64? {
        schedstat.split(whereSeparator: \.isWhitespace).first.flatMap { UInt64($0) }
    }

    /// Nanoseconds on a processor from /proc/PID/stat, utime and stime, which are the 14th and 15th field. The second is
    /// the program's name in parentheses and may itself contain spaces and parentheses.
    static func runTime(stat: String, ticksPerSecond: UInt64) -> UInt64? {
        guard ticksPerSecond > 0, let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = UInt64(fields[11]), let system = UInt64(fields[12]) else { return nil }
        let (ticks, overflow) = user.addingReportingOverflow(system)
        let (scaled, tooLarge) = ticks.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow || tooLarge ? nil : scaled / ticksPerSecond
    }

    /// A line of /proc/PID/status, in KiB.
    ///
    /// - Parameter key: with the colon.
    static func kibibytes(_ key: String, status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix(key) {
            return line.dropFirst(key.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
        }
        return nil
    }
}

/// Small files and folders of /proc.
enum ProcFile {
    /// The start of a file, at most 16 KiB; nil if it cannot be read.
    static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16 * 1024)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// The names in a folder other than `.` and `..`; empty if it cannot be read.
    static func entries(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
