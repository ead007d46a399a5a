import Core
import FieldBus
import TestSupport
import Testing

/// Simulated time only: the bus is a function of the step.
struct BusScheduleTests {
    static let timeout = Duration.milliseconds(500)

    /// A bus whose devices answer in a fixed time, or not at all.
    struct Bus: ~Copyable {
        var schedule: BusSchedule
        var now = MonotonicTime.zero
        var dead: Set<Int> = []
        var answerTime = Duration.milliseconds(10)
        /// Start of each request of a poll, per device.
        var polls: [Int: [MonotonicTime]] = [:]
        var probes: [Int: [MonotonicTime]] = [:]
        var reports: [Int: [MonotonicTime]] = [:]
        var answers: [Int: [MonotonicTime]] = [:]

        init(_ intervals: [[Duration]], maxBackOff: Duration = .seconds(60), retries: Int = 2) {
            schedule = BusSchedule(
                devices: intervals.map { .init(intervals: $0, probeCost: timeout, retries: retries) },
                maxBackOff: maxBackOff, start: .zero)
        }

        mutating func run(until end: MonotonicTime) {
            while now < end {
                switch schedule.next(now: now) {
                case .wait(let until):
                    precondition(until > now, "a wait that does not wait")
                    now = min(until, end)
                case .poll(let device, let group):
                    polls[device, default: []].append(now)
                    let started = now
                    if dead.contains(device) {
                        now += timeout
                        if schedule.unanswered(device: device, group: group, lineIsDown: false, now: now) { continue }
                        if schedule.failed(device: device, reason: .timeout, started: started, now: now) {
                            reports[device, default: []].append(now)
                        }
                    } else {
                        now += answerTime
                        answers[device, default: []].append(now)
                        schedule.answered(device: device, group: group, finished: true)
                    }
                case .probe(let device):
                    probes[device, default: []].append(now)
                    let started = now
                    if dead.contains(device) {
                        now += timeout
                        if schedule.failed(device: device, reason: .timeout, started: started, now: now) {
                            reports[device, default: []].append(now)
                        }
                    } else {
                        now += answerTime
                        answers[device, default: []].append(now)
                        schedule.recovered(device: device, now: now)
                    }
                }
            }
        }
    }

    /// `#expect` cannot take apart a call on a value that cannot be copied.
    func expect(_ wanted: Bool, _ found: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(found == wanted, sourceLocation: sourceLocation)
    }

    func at(_ duration: Duration) -> MonotonicTime { .zero + duration }

    @Test("polls lie on a fixed grid, however long each takes")
    func grid() {
        var bus = Bus([[.seconds(1)]])
        bus.answerTime = .milliseconds(300)
        bus.run(until: at(.seconds(10)))
        #expect(bus.polls[0] == (0..<10).map { at(.seconds($0)) })
        let overruns = bus.schedule.overruns
        #expect(overruns == 0)
    }

    @Test("each group keeps its own interval")
    func groups() {
        var bus = Bus([[.milliseconds(100), .seconds(1)]])
        bus.answerTime = .milliseconds(1)
        bus.run(until: at(.seconds(10)))
        #expect(bus.polls[0]?.count == 110)
    }

    @Test("a bus that is too slow leaves slots out, counts them and goes on without a pause")
    func overruns() {
        var bus = Bus([[.seconds(1)]])
        bus.answerTime = .milliseconds(2500)
        bus.run(until: at(.seconds(100)))
        #expect(bus.polls[0]?.count == 40)
        let overruns = bus.schedule.overruns
        #expect(overruns == 58)
        bus.answerTime = .milliseconds(10)
        let before = bus.polls[0]?.count ?? 0
        bus.run(until: at(.seconds(110)))
        // No burst to catch up: one poll per slot again.
        #expect((bus.polls[0]?.count ?? 0) - before <= 11)
    }

    @Test("groups that are all late take turns request by request")
    func fairness() {
        var bus = Bus([[.milliseconds(10)], [.milliseconds(10)], [.seconds(1)]])
        bus.answerTime = .milliseconds(50)
        bus.run(until: at(.seconds(60)))
        let counts = (0..<3).map { bus.polls[$0]?.count ?? 0 }
        #expect(abs(counts[0] - counts[1]) <= 1)
        #expect(counts[2] >= 59)
    }

    @Test("a poll of many requests does not hold up a short group")
    func longPoll() {
        var schedule = BusSchedule(
            devices: [.init(intervals: [.seconds(60)], probeCost: .seconds(1), retries: 2), .init(intervals: [.milliseconds(100)], probeCost: .seconds(1), retries: 2)],
            maxBackOff: .seconds(60), start: .zero)
        var now = MonotonicTime.zero
        var turns: [Int] = []
        for request in 0..<200 {
            guard case .poll(let device, let group) = schedule.next(now: now) else { break }
            turns.append(device)
            now += .milliseconds(100)
            schedule.answered(device: device, group: group, finished: device == 1 || request > 190)
        }
        #expect(turns.count > 190)
        #expect(turns.prefix(190).filter { $0 == 1 }.count == 95)
    }

    @Test("a device that does not answer is reported when its last try has failed, without a pause if nothing else is due")
    func badAtOnce() {
        var bus = Bus([[.seconds(1)]])
        bus.dead = [0]
        bus.run(until: at(.milliseconds(2400)))
        #expect(bus.polls[0] == [at(.zero), at(.milliseconds(500)), at(.seconds(1))])
        #expect(bus.reports[0] == [at(.milliseconds(1500))])
    }

    @Test("the back-off doubles from one second to its limit, one request each")
    func backOff() {
        var bus = Bus([[.seconds(1)]], maxBackOff: .seconds(8))
        bus.dead = [0]
        bus.run(until: at(.seconds(60)))
        let probes = bus.probes[0] ?? []
        let gaps = zip(probes.dropFirst(), probes).map { ($0 - $1 - BusScheduleTests.timeout).components.seconds }
        #expect(probes.first == at(.milliseconds(2500)))
        #expect(gaps.prefix(5) == [2, 4, 8, 8, 8])
        #expect(bus.polls[0]?.count == 3)
    }

    @Test("a device that stays bad is reported again once a minute")
    func repeatedReport() {
        var bus = Bus([[.seconds(1)]], maxBackOff: .seconds(2))
        bus.dead = [0]
        bus.run(until: at(.seconds(601)))
        let reports = bus.reports[0] ?? []
        #expect((9...11).contains(reports.count))
        for (later, earlier) in zip(reports.dropFirst(), reports) { #expect(later - earlier >= .seconds(60)) }
    }

    @Test("a new reason is reported at once")
    func newReason() {
        var schedule = BusSchedule(devices: [.init(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 2)], maxBackOff: .seconds(60), start: .zero)
        expect(true, schedule.failed(device: 0, reason: .notConnected, started: .zero, now: at(.seconds(1))))
        expect(false, schedule.failed(device: 0, reason: .notConnected, started: .zero, now: at(.seconds(3))))
        expect(true, schedule.failed(device: 0, reason: .timeout, started: .zero, now: at(.seconds(5))))
    }

    @Test("a device that is back is polled at once and keeps its grid")
    func recovery() {
        var bus = Bus([[.seconds(5)]], maxBackOff: .seconds(4))
        bus.dead = [0]
        bus.run(until: at(.seconds(31)))
        bus.dead = []
        let before = bus.polls[0]?.count ?? 0
        bus.run(until: at(.seconds(61)))
        let probe = bus.probes[0]?.last ?? .zero
        let polls = Array((bus.polls[0] ?? []).dropFirst(before))
        #expect(polls.first == probe + .milliseconds(10))
        #expect(polls.dropFirst().allSatisfy { $0.nanoseconds % 5_000_000_000 == 0 })
        #expect(polls.count >= 5)
    }

    @Test("a device that comes and goes gets no retries and a growing back-off")
    func flapping() {
        var schedule = BusSchedule(devices: [.init(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 2)], maxBackOff: .seconds(60), start: .zero)
        var now = MonotonicTime.zero
        var backOffs: [Duration] = []
        for _ in 0..<4 {
            _ = schedule.failed(device: 0, reason: .timeout, started: now, now: now)
            backOffs.append(schedule.backOff(device: 0, now: now) ?? .zero)
            now += .seconds(100)
            schedule.recovered(device: 0, now: now)
            guard case .poll(let device, let group) = schedule.next(now: now) else {
                Issue.record("not polled after recovery")
                return
            }
            expect(false, schedule.unanswered(device: device, group: group, lineIsDown: false, now: now))
        }
        #expect(backOffs == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
    }

    @Test("a dead device does not move another one's polls when a probe fits between them")
    func deadDeviceFits() {
        var bus = Bus([[.seconds(1)], [.seconds(1)]], maxBackOff: .seconds(4))
        bus.dead = [1]
        bus.run(until: at(.seconds(5)))
        let before = bus.polls[0]?.count ?? 0
        bus.run(until: at(.seconds(300)))
        let polls = Array((bus.polls[0] ?? []).dropFirst(before))
        #expect(polls.count == 295)
        #expect(polls.allSatisfy { $0.nanoseconds % 1_000_000_000 == 0 })
        #expect((bus.probes[1]?.count ?? 0) > 50)
    }

    @Test("however many devices are dead, a poll is never later than one probe, and probes take at most a quarter of the time")
    func boundedDelay() {
        // 100 ms intervals: a probe of 500 ms never fits.
        var bus = Bus([[.milliseconds(100)]] + Array(repeating: [.milliseconds(100)], count: 30), maxBackOff: .seconds(10))
        bus.dead = Set(1...30)
        bus.run(until: at(.seconds(120)))
        let before = bus.polls[0]?.count ?? 0
        let start = bus.now
        bus.run(until: at(.seconds(420)))
        let polls = Array((bus.polls[0] ?? []).dropFirst(before))
        let bound = BusScheduleTests.timeout + .milliseconds(100) + bus.answerTime
        for (later, earlier) in zip(polls.dropFirst(), polls) { #expect(later - earlier <= bound) }
        let probes = (1...30).flatMap { bus.probes[$0] ?? [] }.filter { $0 >= start }
        #expect(Double(probes.count) * 0.5 <= 0.26 * 300)
        // Every dead device is still tried.
        for device in 1...30 { #expect((bus.probes[device]?.count ?? 0) >= 2) }
        // The bus was free for the healthy device most of the time.
        #expect(polls.count > 2000)
    }

    @Test("two probes never run between two polls of healthy devices that are due")
    func oneProbeBetweenPolls() {
        var bus = Bus([[.milliseconds(10)]] + Array(repeating: [.seconds(1)], count: 10), maxBackOff: .seconds(1))
        bus.answerTime = .milliseconds(10)
        bus.dead = Set(1...10)
        bus.run(until: at(.seconds(200)))
        let probes = (1...10).flatMap { bus.probes[$0] ?? [] }.sorted()
        let polls = (bus.polls[0] ?? []).filter { $0 > at(.seconds(20)) }
        for (later, earlier) in zip(probes.dropFirst(), probes) where earlier > at(.seconds(20)) {
            #expect(polls.contains { $0 > earlier && $0 < later })
        }
    }

    @Test("with every device dead, each is still probed by its own back-off")
    func allDead() {
        var bus = Bus(Array(repeating: [.seconds(1)], count: 5), maxBackOff: .seconds(5))
        bus.dead = Set(0..<5)
        bus.run(until: at(.seconds(120)))
        for device in 0..<5 { #expect((bus.probes[device]?.count ?? 0) >= 15) }
    }

    @Test("when the line opens again, the devices that were not connected are polled without waiting")
    func lineOpens() {
        var schedule = BusSchedule(
            devices: Array(repeating: .init(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 2), count: 3),
            maxBackOff: .seconds(60), start: .zero)
        for device in 0..<3 {
            _ = schedule.failed(
                device: device, reason: device == 2 ? .timeout : .notConnected, started: .zero, now: at(.seconds(1)))
        }
        schedule.opened(now: at(.milliseconds(1100)))
        let reasons = [schedule.reason(device: 0), schedule.reason(device: 1), schedule.reason(device: 2)]
        #expect(reasons == [nil, nil, .timeout])
        guard case .poll = schedule.next(now: at(.milliseconds(1100))) else {
            Issue.record("not polled")
            return
        }
    }

    @Test("a request out of turn to a dead device waits for the share of the time that probes may take")
    func outOfTurn() {
        var schedule = BusSchedule(
            devices: Array(repeating: .init(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 2), count: 2),
            maxBackOff: .seconds(60), start: .zero)
        _ = schedule.failed(device: 0, reason: .timeout, started: .zero, now: at(.seconds(1)))
        expect(true, schedule.mayRequest(device: 0, now: at(.seconds(1))))
        expect(true, schedule.mayRequest(device: 1, now: at(.seconds(1))))
        _ = schedule.failed(device: 0, reason: .timeout, started: at(.seconds(1)), now: at(.seconds(2)))
        expect(false, schedule.mayRequest(device: 0, now: at(.seconds(2))))
        guard case .poll(let device, let group) = schedule.next(now: at(.seconds(2))) else {
            Issue.record("not polled")
            return
        }
        schedule.answered(device: device, group: group, finished: true)
        expect(false, schedule.mayRequest(device: 0, now: at(.seconds(4))))
        expect(true, schedule.mayRequest(device: 0, now: at(.seconds(5))))
    }

    @Test("whatever devices do, time moves on and every healthy device is polled", arguments: 0..<20)
    func randomBus(_: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let count = Int.random(in: 1...12, using: &random)
        var bus = Bus(
            (0..<count).map { _ in
                (0..<Int.random(in: 1...3, using: &random)).map { _ in .milliseconds(Int.random(in: 50...5000, using: &random)) }
            }, maxBackOff: .milliseconds(Int.random(in: 100...20_000, using: &random)))
        for _ in 0..<40 {
            let device = Int.random(in: 0..<count, using: &random)
            if bus.dead.remove(device) == nil { bus.dead.insert(device) }
            bus.run(until: bus.now + .milliseconds(Int.random(in: 1...20_000, using: &random)))
        }
        bus.dead = []
        let before = bus.answers.mapValues(\.count)
        bus.run(until: bus.now + .seconds(200))
        for device in 0..<count { #expect((bus.answers[device]?.count ?? 0) > (before[device] ?? 0), "seed \(seed)") }
    }
}

struct BusPhaseTests {
    /// When the polls of one group begin, if each takes no time.
    func polls(phase: Double, count: Int) -> [Duration] {
        let start = MonotonicTime(nanoseconds: 5_000_000_000)
        var schedule = BusSchedule(
            devices: [BusSchedule.Device(intervals: [.milliseconds(100)], probeCost: .milliseconds(10), retries: 0)],
            maxBackOff: .seconds(1), start: start)
        schedule.begin(at: start, phase: phase)
        var now = start
        var times: [Duration] = []
        while times.count < count {
            switch schedule.next(now: now) {
            case .poll(let device, let group):
                times.append(now - start)
                schedule.answered(device: device, group: group, finished: true)
            case .wait(let until): now = until
            case .probe: return []
            }
        }
        #expect(schedule.overruns == 0)
        return times
    }

    @Test("a bus begins at once and goes on with its own phase")
    func phases() {
        #expect(polls(phase: 1, count: 3) == [.zero, .milliseconds(100), .milliseconds(200)])
        #expect(polls(phase: 0.25, count: 3) == [.zero, .milliseconds(25), .milliseconds(125)])
        #expect(polls(phase: 0, count: 3).dropFirst(2) == [.milliseconds(100) + .nanoseconds(1)])
    }

    @Test("the phases of a hundred buses lie all over the interval")
    func spread() {
        let phases = (1...100).map { BusSchedule.phase("b\($0)") }
        #expect(phases.allSatisfy { $0 > 0 && $0 <= 1 })
        for tenth in 0..<10 {
            let count = phases.count { Int($0 * 10) == tenth }
            #expect((2...22).contains(count), "\(tenth): \(count)")
        }
    }
}
