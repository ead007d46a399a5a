import Core
import FieldBus
import Synchronization

/// What passes over the buses, while somebody asks for it. The last exchanges of each bus are kept until they are fetched, and
/// the trace ends when nobody has asked for a while.
final class BusTraces: Sendable {
    /// Exchanges that wait for who asks, by bus; then the oldest go.
    static let capacity = 1000
    /// A trace that nobody has asked for so long ends.
    static let patience = Duration.seconds(10)

    struct Page: Sendable {
        var exchanges: [TracedExchange]
        /// The number of the exchange after these.
        var next: UInt64
        /// How many were lost before these.
        var lost: UInt64
    }

    private struct Trace {
        /// The last ones, as many as ``BusTraces/capacity``.
        var exchanges: [TracedExchange] = []
        /// The number of the next one.
        var next: UInt64 = 0
        /// Whom; nil while nothing is traced.
        var driver: (any FieldBusDriver)?
        var askedAt = MonotonicTime.zero
    }

    private let field: FieldSide
    private let traces = Mutex<[String: Trace]>([:])

    init(_ field: FieldSide) { self.field = field }

    var names: [String] { field.buses.map(\.name).sorted() }

    /// What has passed since exchange number `from`; with nil from now on. Has the bus traced from now on.
    ///
    /// - Returns: nil when there is no such bus.
    func page(of bus: String, from: UInt64?, now: MonotonicTime) async -> Page? {
        guard let driver = field.buses.first(where: { $0.name == bus })?.driver else { return nil }
        let (page, isNew) = traces.withLock { traces in
            var trace = traces[bus] ?? Trace()
            let isNew = trace.driver !== driver
            trace.driver = driver
            trace.askedAt = now
            let first = trace.next - UInt64(trace.exchanges.count)
            let wanted = min(from ?? trace.next, trace.next)
            let start = max(wanted, first)
            let page = Page(exchanges: Array(trace.exchanges.dropFirst(Int(start - first))), next: trace.next, lost: start - wanted)
            traces[bus] = trace
            return (page, isNew)
        }
        if isNew { await driver.trace { [weak self] exchange in self?.take(exchange, of: bus) } }
        return page
    }

    private func take(_ exchange: TracedExchange, of bus: String) {
        traces.withLock { traces in
            guard var trace = traces.removeValue(forKey: bus) else { return }
            trace.exchanges.append(exchange)
            trace.next += 1
            // A hundred at a time, so that each is moved a few times only.
            if trace.exchanges.count >= BusTraces.capacity + 100 { trace.exchanges.removeFirst(100) }
            traces[bus] = trace
        }
    }

    /// Ends the traces that nobody asks for any more; to be called about once a second.
    func tick(now: MonotonicTime) {
        let over: [(String, any FieldBusDriver)] = traces.withLock { traces in
            let over = traces.filter { $0.value.driver != nil && now - $0.value.askedAt > BusTraces.patience }
            for bus in over.keys {
                traces[bus]?.driver = nil
                traces[bus]?.exchanges = []
            }
            return over.compactMap { bus, trace in trace.driver.map { (bus, $0) } }
        }
        for (bus, driver) in over {
            Task {
                await driver.trace(nil)
                // Somebody may have come meanwhile.
                let isWanted = self.traces.withLock { $0[bus]?.driver === driver }
                if isWanted { await driver.trace { [weak self] exchange in self?.take(exchange, of: bus) } }
            }
        }
    }
}
