public import Core

// What the driver needs of GPIO chips, so that a test, or a box without any, can give it simulated ones. The words are
// libgpiod 2's: a chip has lines, a line is requested, and values are logical: active is true, whatever the voltage.

/// The pull resistor of a line.
public enum GPIOBias: String, Sendable, CaseIterable {
    /// As the boot loader or the device tree left it.
    case asIs = "as-is"
    case disabled = "disabled"
    case pullUp = "pull-up"
    case pullDown = "pull-down"
}

/// How an output drives its line.
public enum GPIODrive: String, Sendable, CaseIterable {
    case pushPull = "push-pull"
    case openDrain = "open-drain"
    case openSource = "open-source"
}

/// What a line is requested as.
public struct GPIOLineSettings: Sendable, Hashable {
    public enum Direction: Sendable, Hashable {
        /// With `edges`, every change of the level is reported with the kernel's time stamp.
        case input(edges: Bool)
        /// The level that it has from the first moment.
        case output(initial: Bool)
    }

    public var direction: Direction
    public var bias = GPIOBias.asIs
    public var drive = GPIODrive.pushPull
    /// Whether the low voltage is the active level.
    public var activeLow = false
    /// How long an input must be steady before an edge counts, if the kernel is to see to it: 1 µs…1 s, or zero.
    public var debounce = Duration.zero

    public init(direction: Direction) { self.direction = direction }
}

/// A change of a line's level.
public struct GPIOEdge: Sendable, Hashable {
    /// The level after it.
    public var level: Bool
    /// When it came, by the kernel.
    public var time: MonotonicTime
    /// Counts the line's edges, the ones that were lost too; nil where the kernel's interface does not tell.
    public var sequence: UInt64?

    public init(level: Bool, time: MonotonicTime, sequence: UInt64? = nil) {
        self.level = level
        self.time = time
        self.sequence = sequence
    }

    /// The time of day at which it came, given both clocks now.
    public func wallTime(now: MonotonicTime, wall: Timestamp) -> Timestamp {
        Timestamp(milliseconds: wall.milliseconds - max(0, (now - time).wholeNanoseconds + 500_000) / 1_000_000)
    }
}

/// A line that this process has requested. It is released when the object goes.
public protocol GPIOLine: AnyObject {
    /// What poll() waits on for edges.
    var descriptor: Int32 { get }
    func level() throws(FieldBusError) -> Bool
    func set(_ level: Bool) throws(FieldBusError)
    /// The edges that wait, oldest first, without blocking.
    func edges() throws(FieldBusError) -> GPIOEdges
}

/// What one look at a line's queue brought.
public struct GPIOEdges: Sendable {
    public var edges: [GPIOEdge]
    /// Whether the queue may have been full, so that edges may be missing that no sequence number tells of.
    public var mayHaveOverflowed: Bool

    public init(_ edges: [GPIOEdge], mayHaveOverflowed: Bool = false) {
        self.edges = edges
        self.mayHaveOverflowed = mayHaveOverflowed
    }
}

/// The GPIO chips of a machine.
public protocol GPIOChips: Sendable {
    /// Whether the kernel debounces lines: ``GPIOLineSettings/debounce`` is then obeyed, and refused otherwise.
    var debounces: Bool { get }
    /// Those that there are, in the order of their numbers.
    func all() -> [GPIOChip]
    /// Takes a line for this process.
    ///
    /// - Parameter consumer: what other programs see as the line's user.
    func request(_ chip: GPIOChip, offset: Int, _ settings: GPIOLineSettings, consumer: String) throws(FieldBusError)
        -> any GPIOLine
}

/// A chip and its lines.
public struct GPIOChip: Sendable, Hashable {
    /// `/dev/gpiochip0`.
    public var path: String
    /// What the kernel's driver calls it: `pinctrl-bcm2711`. It stays when the numbers of chips change.
    public var label: String
    /// By offset; a line without a name has an empty one.
    public var lines: [Line]

    public struct Line: Sendable, Hashable {
        public var name: String
        /// Who uses it; nil for nobody.
        public var consumer: String?

        public init(name: String, consumer: String? = nil) {
            self.name = name
            self.consumer = consumer
        }
    }

    public init(path: String, label: String, lines: [Line]) {
        self.path = path
        self.label = label
        self.lines = lines
    }

    /// `gpiochip0`.
    public var name: String { String(path.split(separator: "/").last ?? "") }
}
