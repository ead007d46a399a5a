import Core
import FieldBus
import TestSupport
import Testing

/// What the retries of a device that falls silent cost the others of its bus, in simulated time.
struct BusScheduleRetryTests {
    typealias Bus = BusScheduleTests.Bus
    static let timeout = BusScheduleTests.timeout

    func at(_ duration: Duration) -> MonotonicTime { .zero + duration }

    /// `#expect` cannot take apart a call on a value that cannot be copied.
    func expect(_ wanted: Bool, _ found: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(found == wanted, sourceLocation: sourceLocation)
    }

    /// All requests to these devices, in order.
    func requests(_ bus: borrowing Bus, _ devices: some Sequence<Int>, after start: MonotonicTime) -> [MonotonicTime] {
        devices.flatMap { (bus.polls[$0] ?? []) + (bus.probes[$0] ?? []) }.filter { $0 >= start }.sorted()
    }

    @Test("between two tries of a silent device each other group that is due has one request", arguments: [1, 2, 5, 20])
    func onePollBetweenTries(retries: Int) {
        let intervals = [Duration.milliseconds(100)]
        var bus = Bus([intervals, intervals, intervals, [.seconds(1)]], retries: retries)
        bus.run(until: at(.milliseconds(950)))
        bus.dead = [3]
        bus.run(until: at(.seconds(20)))
        let round = bus.answerTime * 3
        let tries = (bus.polls[3] ?? []).filter { $0 > at(.milliseconds(900)) }
        #expect(tries.count == retries + 1)
        for (later, earlier) in zip(tries.dropFirst(), tries) {
            for other in 0..<3 {
                let count = (bus.polls[other] ?? []).filter { $0 > earlier && $0 < later }.count
                #expect(count == 1)
            }
            let gap = later - earlier
            #expect(gap == BusScheduleRetryTests.timeout + round)
        }
        // The bound on a busy bus: tries and the rounds between them.
        let foundOut = (bus.reports[3]?.first ?? .zero) - (tries.first ?? .zero)
        #expect(foundOut == BusScheduleRetryTests.timeout * (retries + 1) + round * retries)
    }

    @Test("a poll that falls due while a device is found out is late by one response time-out at most")
    func lateByOneTimeout() {
        // The slots of the other device never fall together with those of the silent one.
        var bus = Bus([[.milliseconds(700)], [.seconds(1)]], retries: 5)
        bus.dead = [1]
        bus.run(until: at(.milliseconds(3400)))
        let polls = bus.polls[0] ?? []
        #expect(polls.count == 5)
        for (slot, poll) in polls.enumerated() {
            let lateness = poll - at(.milliseconds(700) * slot)
            #expect(lateness >= .zero && lateness <= BusScheduleRetryTests.timeout)
        }
        #expect(bus.reports[1]?.count == 1)
    }

    @Test("of many devices that fall silent together, once each has gone unanswered, none delays a poll by more than one time-out")
    func manySilent() {
        var bus = Bus([[.milliseconds(100)]] + Array(repeating: [.seconds(1)], count: 10), retries: 3)
        bus.run(until: at(.milliseconds(900)))
        bus.dead = Set(1...10)
        // Nobody can know before: each first request costs a time-out, in one round.
        let known = at(.seconds(1) + BusScheduleRetryTests.timeout * 10 + bus.answerTime * 2)
        bus.run(until: at(.seconds(40)))
        let polls = (bus.polls[0] ?? []).filter { $0 >= known }
        // From one poll to the next, an interval and a time-out.
        let bound = BusScheduleRetryTests.timeout + .milliseconds(100)
        #expect(polls.first.map { $0 - known <= bound } == true)
        for (later, earlier) in zip(polls.dropFirst(), polls) { #expect(later - earlier <= bound) }
        // All are found out: 40 tries, a poll between any two, and the probes of those that were dead first.
        for device in 1...10 {
            #expect(bus.polls[device]?.filter { $0 >= at(.seconds(1)) }.count == 4)
            #expect(bus.reports[device].map { $0[0] <= at(.seconds(30)) } == true)
        }
    }

    @Test("a retry that is answered goes on with the poll and counts its tries anew")
    func answeredRetry() {
        var schedule = BusSchedule(
            devices: [.init(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 1)], maxBackOff: .seconds(60), start: .zero)
        for request in 0..<5 {
            #expect(schedule.next(now: .zero) == .poll(device: 0, group: 0), "request \(request)")
            expect(true, schedule.unanswered(device: 0, group: 0, lineIsDown: false, now: .zero))
            #expect(schedule.next(now: .zero) == .poll(device: 0, group: 0))
            schedule.answered(device: 0, group: 0, finished: request == 4)
        }
        #expect(schedule.next(now: .zero) == .wait(until: at(.seconds(1))))
    }

    @Test("no other group of a device has a turn while one of its requests is tried again")
    func otherGroups() {
        var bus = Bus([[.milliseconds(100), .milliseconds(200)], [.milliseconds(100)]])
        var groups: [Int] = []
        for _ in 0..<20 {
            guard case .poll(let device, let group) = bus.schedule.next(now: bus.now) else { break }
            bus.now += .milliseconds(300)
            if device == 1 {
                bus.schedule.answered(device: 1, group: 0, finished: true)
            } else {
                groups.append(group)
                if bus.schedule.unanswered(device: 0, group: group, lineIsDown: false, now: bus.now) { continue }
                _ = bus.schedule.failed(device: 0, reason: .timeout, started: bus.now, now: bus.now)
                break
            }
        }
        #expect(groups == [0, 0, 0])
    }

    @Test("a line that cannot be opened is tried again before anything else, because nothing else could be asked")
    func lineIsDown() {
        let device = BusSchedule.Device(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 2)
        var schedule = BusSchedule(devices: [device, device, device], maxBackOff: .seconds(60), start: .zero)
        for left in [true, true, false] {
            #expect(schedule.next(now: .zero) == .poll(device: 0, group: 0))
            expect(left, schedule.unanswered(device: 0, group: 0, lineIsDown: true, now: .zero))
        }
    }

    @Test("a device whose late answer may still come is held, and the others are not")
    func held() {
        let device = BusSchedule.Device(intervals: [.seconds(1)], probeCost: .seconds(1), retries: 2)
        var schedule = BusSchedule(devices: [device, device], maxBackOff: .seconds(60), start: .zero)
        schedule.hold(device: 0, until: at(.seconds(3)))
        #expect(schedule.next(now: .zero) == .poll(device: 1, group: 0))
        schedule.answered(device: 1, group: 0, finished: true)
        #expect(schedule.next(now: .zero) == .wait(until: at(.seconds(1))))
        #expect(schedule.next(now: at(.seconds(3))) == .poll(device: 0, group: 0))
        // The same request again may be made at once.
        expect(true, schedule.unanswered(device: 0, group: 0, lineIsDown: false, now: at(.seconds(3))))
        schedule.hold(device: 0, until: at(.seconds(9)))
        #expect(schedule.next(now: at(.seconds(3))) == .poll(device: 1, group: 0))
        schedule.answered(device: 1, group: 0, finished: true)
        #expect(schedule.next(now: at(.seconds(3))) == .poll(device: 0, group: 0))
        _ = schedule.failed(device: 0, reason: .timeout, started: at(.seconds(3)), now: at(.seconds(4)))
        // Its back-off ends after 1 s, the answer may come until 9 s.
        #expect(schedule.next(now: at(.seconds(4))) == .poll(device: 1, group: 0))
        schedule.answered(device: 1, group: 0, finished: true)
        #expect(schedule.next(now: at(.milliseconds(4900))) == .wait(until: at(.seconds(5))))
    }

    @Test("a retry and the probes of dead devices take turns, a round of polls between any two", arguments: 0..<20)
    func triesTakeTurns(_: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let healthy = Int.random(in: 1...6, using: &random)
        let silent = Int.random(in: 1...6, using: &random)
        // 10 ms each and due all the time: no idle pause.
        var bus = Bus(
            Array(repeating: [.milliseconds(10)], count: healthy)
                + (0..<silent).map { _ in [.milliseconds(Int.random(in: 50...3000, using: &random))] },
            maxBackOff: .milliseconds(Int.random(in: 100...5000, using: &random)), retries: Int.random(in: 0...6, using: &random))
        bus.dead = Set(healthy..<healthy + silent)
        bus.run(until: at(.seconds(120)))
        // After the last one's first request every request to a silent device is a try.
        let tries = requests(bus, healthy..<healthy + silent, after: .zero)
        let first = (healthy..<healthy + silent).compactMap { bus.polls[$0]?.first }.max() ?? .distantFuture
        let known = tries.filter { $0 > first }
        #expect(known.count > 10, "seed \(seed)")
        for (later, earlier) in zip(known.dropFirst(), known) {
            for device in 0..<healthy {
                #expect((bus.polls[device] ?? []).contains { $0 > earlier && $0 < later }, "seed \(seed), device \(device)")
            }
        }
        for device in healthy..<healthy + silent { #expect(bus.reports[device] != nil, "seed \(seed)") }
    }
}
