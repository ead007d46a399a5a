import Core

/// What a point remembers of the edges of its line.
struct GPIOPointState {
    let plan: GPIOBus.Point
    private var counter: PulseCounter?
    private var meter: FrequencyMeter?
    /// Whether edges were lost since the last reading.
    private var hasLost = false
    private var wasOpened = false

    init(_ plan: GPIOBus.Point, now: MonotonicTime) {
        self.plan = plan
        if case .frequency = plan.use { meter = FrequencyMeter(window: plan.interval, start: now) }
    }

    /// The line is watched from now on. A count goes on, but after an interruption nobody knows what it missed.
    mutating func restart(level: Bool) {
        guard case .pulseCount(let edges) = plan.use else {
            meter?.restart()
            return
        }
        let count = counter?.count ?? 0
        var counter = PulseCounter(edges: edges, level: level)
        counter.set(count)
        if wasOpened { counter.noteLoss() }
        wasOpened = true
        self.counter = counter
    }

    mutating func take(_ taken: GPIOEdges) {
        for edge in taken.edges {
            counter?.take(edge)
            meter?.take(edge)
        }
        if taken.mayHaveOverflowed {
            counter?.noteLoss()
            hasLost = true
        }
    }

    mutating func set(count: UInt64) { counter?.set(count) }

    /// The value now; nil if there is none yet.
    mutating func read(now: MonotonicTime) -> (value: Value, quality: Quality)? {
        if let counter { return (.uint(counter.count), counter.isUncertain ? .uncertain(.edgesLost) : .good) }
        defer { hasLost = false }
        guard let frequency = meter?.read(now: now) else { return nil }
        return (plan.type == .real ? .real(Float(frequency)) : .lreal(frequency), hasLost ? .uncertain(.edgesLost) : .good)
    }
}
