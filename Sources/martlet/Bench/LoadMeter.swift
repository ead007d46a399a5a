import Core
import Glibc

/// What a part of a run costs: time, the processor time of the broker, of this program and of all others on the machine.
struct LoadMeter: Sendable {
    /// Processor seconds of the whole machine since it started.
    private struct Machine: Sendable {
        var busy = 0.0
        /// Taken by other guests of the same host.
        var stolen = 0.0

        static var now: Machine {
            var machine = Machine()
            guard let text = ProcFile.read("/proc/stat"), let line = text.split(separator: "\n").first else { return machine }
            let fields = line.split(separator: " ").dropFirst().map { Double($0) ?? 0 }
            guard fields.count >= 8 else { return machine }
            let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
            machine.busy = (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / ticks
            machine.stolen = fields[7] / ticks
            return machine
        }
    }

    private let process: Int32?
    private let startedAt: MonotonicTime
    private let brokerAtStart: ProcessUsage?
    private let toolAtStart: Double
    private let machineAtStart: Machine

    // As of the last `note`.
    private var notedAt: MonotonicTime
    private var broker: ProcessUsage?
    private var tool: Double
    private var machine: Machine

    /// Begins to measure.
    ///
    /// - Parameter process: the broker's, nil for none.
    init(process: Int32?) throws(BenchError) {
        self.process = process
        if let process {
            guard let usage = ProcessUsage(process: process) else { throw .noProcess(process) }
            broker = usage
        } else {
            broker = nil
        }
        brokerAtStart = broker
        tool = LoadMeter.toolSeconds
        toolAtStart = tool
        machine = Machine.now
        machineAtStart = machine
        startedAt = SystemClock.monotonic()
        notedAt = startedAt
    }

    /// What was used until now.
    mutating func note(at now: MonotonicTime) {
        notedAt = now
        if let process, let usage = ProcessUsage(process: process) { broker = usage }
        tool = LoadMeter.toolSeconds
        machine = Machine.now
    }

    var seconds: Double { Double((notedAt - startedAt).wholeNanoseconds) / 1e9 }

    /// Processor time of the broker, nil if no process was named.
    var brokerSeconds: Double? {
        guard let broker, let brokerAtStart else { return nil }
        return Double(broker.runTime(since: brokerAtStart)) / 1e9
    }

    var toolSeconds: Double { tool - toolAtStart }
    var residentKiBAtStart: Int? { brokerAtStart?.residentKiB }
    var residentKiB: Int? { broker?.residentKiB }
    var peakResidentKiB: Int? { broker?.peakResidentKiB }

    /// Processors that other programs kept busy, on average.
    var othersShare: Double {
        guard seconds > 0 else { return 0 }
        return max(0, machine.busy - machineAtStart.busy - toolSeconds - (brokerSeconds ?? 0)) / seconds
    }

    /// Processors that the machine's host kept for itself, on average.
    var stolenShare: Double { seconds > 0 ? (machine.stolen - machineAtStart.stolen) / seconds : 0 }

    /// Processor seconds of this process.
    private static var toolSeconds: Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        let micro = Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + micro
    }
}
