import Core
import FieldBus
import Synchronization

/// A chip with one output, and what a test wants to know whenever it is set.
final class ProbedChips: GPIOChips {
    static let chip = GPIOChip(path: "/dev/gpiochip0", label: "probed", lines: [GPIOChip.Line(name: "DE")])

    let debounces = false
    private let probe: @Sendable (Bool) throws(FieldBusError) -> Void
    private let taken = Mutex<[GPIOLineSettings]>([])

    /// What the line was requested as, each time.
    var requests: [GPIOLineSettings] { taken.withLock { $0 } }

    /// - Parameter probe: is called with each level, and may refuse it.
    init(_ probe: @escaping @Sendable (Bool) throws(FieldBusError) -> Void) { self.probe = probe }

    func all() -> [GPIOChip] { [Self.chip] }

    func request(
        _ chip: GPIOChip, offset: Int, _ settings: GPIOLineSettings, consumer: String
    ) throws(FieldBusError) -> any GPIOLine {
        taken.withLock { $0.append(settings) }
        return Line(probe)
    }

    private final class Line: GPIOLine {
        let descriptor: Int32 = -1
        private let probe: @Sendable (Bool) throws(FieldBusError) -> Void

        init(_ probe: @escaping @Sendable (Bool) throws(FieldBusError) -> Void) { self.probe = probe }

        func level() throws(FieldBusError) -> Bool { false }
        func set(_ level: Bool) throws(FieldBusError) { try probe(level) }
        func edges() throws(FieldBusError) -> GPIOEdges { GPIOEdges([]) }
    }
}
