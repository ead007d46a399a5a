public import Core
import Synchronization

/// GPIO chips that are not there: a program sets the levels of their inputs and sees those of their outputs.
public final class SimulatedGPIOChips: GPIOChips {
    public let debounces: Bool
    private let state: Mutex<State>
    private let capacity: Int
    private let numbersEdges: Bool

    struct State {
        var chips: [GPIOChip]
        var lines: [Place: Line] = [:]
    }

    struct Place: Hashable {
        var chip: String
        var offset: Int
    }

    struct Line {
        var level = false
        /// nil while nobody has requested it.
        var settings: GPIOLineSettings?
        var queue: [GPIOEdge] = []
        var sequence: UInt64 = 0
        var overflowed = false
        var wakeUp: WakeUp?
    }

    /// - Parameters:
    ///   - capacity: how many edges a line's queue holds; the oldest goes when it is full.
    ///   - numbersEdges: whether edges have sequence numbers, as with libgpiod 2.
    ///   - debounces: what ``debounces`` says; nothing is debounced here.
    public init(_ chips: [GPIOChip], capacity: Int = 1024, numbersEdges: Bool = true, debounces: Bool = false) {
        state = Mutex(State(chips: chips))
        self.capacity = capacity
        self.numbersEdges = numbersEdges
        self.debounces = debounces
    }

    public func all() -> [GPIOChip] { state.withLock { $0.chips } }

    public func request(
        _ chip: GPIOChip, offset: Int, _ settings: GPIOLineSettings, consumer: String
    ) throws(FieldBusError) -> any GPIOLine {
        let place = Place(chip: chip.name, offset: offset)
        let wakeUp = try WakeUp()
        let isFree = state.withLock { state in
            guard state.lines[place]?.settings == nil else { return false }
            var line = state.lines[place] ?? Line()
            line.settings = settings
            line.wakeUp = wakeUp
            line.queue = []
            if case .output(let initial) = settings.direction { line.level = initial != settings.activeLow }
            state.lines[place] = line
            return true
        }
        guard isFree else { throw .unavailable(what: "\(chip.path) line \(offset)", detail: "it is in use") }
        return SimulatedLine(self, place, descriptor: wakeUp.descriptor)
    }

    /// The level of a line by its voltage: high is true, whoever drives it.
    public func isHigh(_ chip: String, _ offset: Int) -> Bool {
        state.withLock { $0.lines[Place(chip: chip, offset: offset)]?.level ?? false }
    }

    /// Whether a program has requested the line, and as what.
    public func settings(_ chip: String, _ offset: Int) -> GPIOLineSettings? {
        state.withLock { $0.lines[Place(chip: chip, offset: offset)]?.settings }
    }

    /// Puts a voltage on a line.
    public func drive(_ chip: String, _ offset: Int, high: Bool, at time: MonotonicTime) {
        let wakeUp = state.withLock { state -> WakeUp? in
            let place = Place(chip: chip, offset: offset)
            var line = state.lines[place] ?? Line()
            defer { state.lines[place] = line }
            guard line.level != high else { return nil }
            line.level = high
            guard let settings = line.settings, case .input(edges: true) = settings.direction else { return nil }
            line.sequence += 1
            line.queue.append(
                GPIOEdge(level: high != settings.activeLow, time: time, sequence: numbersEdges ? line.sequence : nil))
            if line.queue.count > capacity {
                line.queue.removeFirst()
                line.overflowed = !numbersEdges
            }
            return line.wakeUp
        }
        wakeUp?.signal()
    }

    fileprivate func level(_ place: Place) -> Bool {
        state.withLock { ($0.lines[place]?.level ?? false) != ($0.lines[place]?.settings?.activeLow ?? false) }
    }

    fileprivate func set(_ place: Place, _ level: Bool) {
        state.withLock { state in
            let activeLow = state.lines[place]?.settings?.activeLow ?? false
            state.lines[place]?.level = level != activeLow
        }
    }

    fileprivate func take(_ place: Place) -> GPIOEdges {
        state.withLock { state in
            state.lines[place]?.wakeUp?.clear()
            let edges = GPIOEdges(state.lines[place]?.queue ?? [], mayHaveOverflowed: state.lines[place]?.overflowed ?? false)
            state.lines[place]?.queue = []
            state.lines[place]?.overflowed = false
            return edges
        }
    }

    fileprivate func release(_ place: Place) {
        state.withLock { state in
            state.lines[place]?.settings = nil
            state.lines[place]?.wakeUp = nil
        }
    }
}

private final class SimulatedLine: GPIOLine {
    private let chips: SimulatedGPIOChips
    private let place: SimulatedGPIOChips.Place
    let descriptor: Int32

    init(_ chips: SimulatedGPIOChips, _ place: SimulatedGPIOChips.Place, descriptor: Int32) {
        self.chips = chips
        self.place = place
        self.descriptor = descriptor
    }

    deinit { chips.release(place) }

    func level() throws(FieldBusError) -> Bool { chips.level(place) }
    func set(_ level: Bool) throws(FieldBusError) { chips.set(place, level) }
    func edges() throws(FieldBusError) -> GPIOEdges { chips.take(place) }
}
