import Core

/// A line, and what its points make of its edges.
struct WatchedLine {
    let plan: GPIOBus.Line
    /// Whether the edges have to be debounced here.
    let debouncesHere: Bool
    /// nil while it is not ours.
    var line: (any GPIOLine)?
    private var debouncer: Debouncer?
    private(set) var level = false
    /// When the level last changed.
    private(set) var changed: MonotonicTime?

    init(_ plan: GPIOBus.Line, kernelDebounces: Bool) {
        self.plan = plan
        debouncesHere = plan.settings.debounce > .zero && !kernelDebounces
    }

    var isOutput: Bool { if case .output = plan.settings.direction { true } else { false } }

    /// When ``edges(now:)`` is to be called though the kernel reports nothing.
    var deadline: MonotonicTime? { debouncer?.deadline }

    mutating func open(_ chips: any GPIOChips) throws(FieldBusError) {
        var settings = plan.settings
        if debouncesHere { settings.debounce = .zero }
        let line = try chips.request(plan.chip, offset: plan.offset, settings, consumer: "martlet")
        level = try line.level()
        if debouncesHere { debouncer = Debouncer(period: plan.settings.debounce, level: level) }
        self.line = line
    }

    mutating func close() {
        line = nil
        debouncer = nil
        changed = nil
    }

    /// The edges that count, oldest first, and whether some may be missing.
    mutating func edges(now: MonotonicTime) throws(FieldBusError) -> GPIOEdges {
        guard let line, !isOutput else { return GPIOEdges([]) }
        let raw = try line.edges()
        var edges: [GPIOEdge] = []
        if debouncer == nil {
            edges = raw.edges
        } else {
            // What bounces has no count of its own, so the numbers mean nothing any more.
            for edge in raw.edges {
                if let settled = debouncer?.take(edge) { edges.append(GPIOEdge(level: settled.level, time: settled.time)) }
            }
            if let settled = debouncer?.settle(now: now) { edges.append(GPIOEdge(level: settled.level, time: settled.time)) }
        }
        if let last = edges.last {
            level = last.level
            changed = last.time
        }
        return GPIOEdges(edges, mayHaveOverflowed: raw.mayHaveOverflowed)
    }

    /// The level now: of a line that is debounced here the one that has lasted.
    mutating func readLevel() throws(FieldBusError) -> Bool {
        guard let line else { return level }
        if debouncer == nil { level = try line.level() }
        return level
    }

    mutating func set(_ level: Bool) throws(FieldBusError) -> Bool {
        guard let line else { return false }
        try line.set(level)
        let read = try line.level()
        self.level = read
        return read == level
    }
}
