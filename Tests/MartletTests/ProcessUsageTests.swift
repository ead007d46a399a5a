import Glibc
import Testing

@testable import martlet

@Suite("Process usage")
struct ProcessUsageTests {
    @Test("the first number of schedstat is the run time")
    func schedstat() {
        #expect(ProcessUsage.runTime(schedstat: "123456789 42 17\n") == 123_456_789)
        #expect(ProcessUsage.runTime(schedstat: "\n") == nil)
        #expect(ProcessUsage.runTime(schedstat: "x 1 2\n") == nil)
    }

    @Test("user and system time are found behind a name with spaces and parentheses")
    func stat() {
        let line = "4242 (a ) b) S 1 4242 4242 0 -1 4194560 1000 0 0 0 150 50 0 0 20 0 3 0 100 1000 200\n"
        #expect(ProcessUsage.runTime(stat: line, ticksPerSecond: 100) == 2_000_000_000)
    }

    @Test("a line of stat that is cut off gives nothing", arguments: ["", "4242 (martlet", "4242 (martlet) S 1 2 3"])
    func cutOff(line: String) {
        #expect(ProcessUsage.runTime(stat: line, ticksPerSecond: 100) == nil)
    }

    @Test("resident memory is the line VmRSS, and its peak the line VmHWM")
    func residentMemory() {
        let status = "Name:\tx\nVmHWM:\t  9900 kB\nVmRSS:\t    7342 kB\nRssAnon:\t1 kB\n"
        #expect(ProcessUsage.kibibytes("VmRSS:", status: status) == 7342)
        #expect(ProcessUsage.kibibytes("VmHWM:", status: status) == 9900)
        #expect(ProcessUsage.kibibytes("VmRSS:", status: "Name:\tkthreadd\n") == nil)
    }

    @Test("the difference counts new threads from nothing and leaves out those that ended")
    func difference() {
        let before = ProcessUsage(runTimes: ["1": 100, "2": 50], residentKiB: 1)
        let after = ProcessUsage(runTimes: ["1": 130, "3": 7], residentKiB: 1)
        #expect(after.runTime(since: before) == 37)
    }

    @Test("this process can be read, and no process of number 0")
    func thisProcess() throws {
        let usage = try #require(ProcessUsage(process: getpid()))
        #expect(usage.residentKiB > 0)
        #expect(ProcessUsage(process: 0) == nil)
    }
}
