import Core
import Store

// What becomes of a cache that nothing leaves. All routes grow, each at its rate, until one meets a limit:
//
//     its own max-size, its share    it has lost something, and grows no more
//     its age                        likewise: its oldest go as new ones come
//     the whole                      whoever has to make room for the others has lost something and shrinks; of what may not
//                                    displace anything, nothing more is taken
//
// Between two such moments everything is a straight line, so it is enough to go from one to the next.

/// When each route loses its first message.
struct CacheFilling {
    private struct Route {
        let name: String
        let policy: RoutePolicy
        /// Bytes a second.
        let rate: Double
        let allowed: Double
        /// Seconds.
        let age: Double
        var bytes = 0.0
        var grows = true
        var lostAfter: Double?

        mutating func stop(_ time: Double) {
            grows = false
            lostAfter = lostAfter ?? time
        }
    }

    /// Less than this many bytes is nothing.
    private static let tolerance = 0.5

    private let limits: CacheLimits
    private var routes: [Route]
    private var time = 0.0

    /// Seconds from the beginning of an outage until a route loses the first of what it has stored, or of what it should have
    /// taken, by its name; no entry for one that never does.
    ///
    /// - Parameter rates: bytes a second into the blocks of each route.
    static func secondsHeld(_ limits: CacheLimits, rates: [String: Double]) -> [String: Double] {
        var filling = CacheFilling(limits, rates: rates)
        filling.run()
        return Dictionary(uniqueKeysWithValues: filling.routes.compactMap { route in route.lostAfter.map { (route.name, $0) } })
    }

    private init(_ limits: CacheLimits, rates: [String: Double]) {
        self.limits = limits
        routes = rates.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { name, rate in
            let policy = limits.policy(ofRoute: name)
            let age = policy.maximumAge ?? limits.maximumAge
            return Route(
                name: name, policy: policy, rate: rate, allowed: Double(limits.allowance(ofRoute: name).bytes),
                age: age.map { Double($0.wholeMilliseconds) / 1000 } ?? .infinity)
        }
    }

    private mutating func run() {
        // Each moment ends the growth of one at least, or empties one.
        for _ in 0..<4 * routes.count + 4 {
            stopWhatIsFull()
            let givers = isFull ? makeRoom() : []
            guard routes.contains(where: { $0.grows && $0.lostAfter == nil }), let step = nextStep(givers) else { return }
            advance(step, givers)
        }
    }

    private var room: Double { Double(limits.maximumBytes) - routes.reduce(0) { $0 + $1.bytes } }
    private var isFull: Bool { room <= CacheFilling.tolerance }

    /// What the routes up to a priority have that share a part of the cache.
    private func shared(upTo priority: Int) -> [Int] {
        routes.indices.filter {
            let policy = routes[$0].policy
            return policy.takesShare && policy.priority <= priority
        }
    }

    /// Bytes until a route meets a limit of its own or of its share; the growth that leads there.
    private func headroom(_ index: Int) -> (bytes: Double, rate: Double) {
        let route = routes[index]
        guard route.policy.takesShare else { return (route.allowed - route.bytes, route.rate) }
        let together = shared(upTo: route.policy.priority)
        return (
            route.allowed - together.reduce(0) { $0 + routes[$1].bytes }, together.reduce(0) { $0 + (routes[$1].grows ? routes[$1].rate : 0) }
        )
    }

    private mutating func stopWhatIsFull() {
        let full = routes.indices.filter { index in
            guard routes[index].grows else { return false }
            return routes[index].age - time <= 1e-6 || headroom(index).bytes <= CacheFilling.tolerance
        }
        for index in full where routes[index].grows {
            routes[index].stop(time)
            // Those that share with it find no more room either, if they are less important.
            guard routes[index].policy.takesShare, routes[index].age - time > 1e-6 else { continue }
            for other in shared(upTo: routes[index].policy.priority) where routes[other].grows { routes[other].stop(time) }
        }
    }

    /// The whole is full: those that make room, of one priority, and what finds none stops.
    private mutating func makeRoom() -> [Int] {
        let giving = routes.indices.filter { routes[$0].policy.gives && routes[$0].bytes > CacheFilling.tolerance }
        let least = giving.map { routes[$0].policy.priority }.min()
        for index in routes.indices where routes[index].grows {
            let policy = routes[index].policy
            let mayDisplace = least.map { policy.whenFull == .dropNewest ? $0 < policy.priority : $0 <= policy.priority } ?? false
            if !mayDisplace { routes[index].stop(time) }
        }
        let givers = giving.filter { routes[$0].policy.priority == least }
        guard routes.contains(where: \.grows) else { return givers }
        for index in givers { routes[index].lostAfter = routes[index].lostAfter ?? time }
        return givers
    }

    /// What the others grow by each second while `givers` make room.
    private func displaced(by givers: [Int]) -> Double {
        routes.indices.reduce(0) { $0 + (routes[$1].grows && !givers.contains($1) ? routes[$1].rate : 0) }
    }

    /// Seconds to the next moment; nil if there is none.
    private func nextStep(_ givers: [Int]) -> Double? {
        var step = Double.infinity
        var growth = 0.0
        for index in routes.indices where routes[index].grows {
            growth += routes[index].rate
            step = min(step, routes[index].age - time)
            if givers.contains(index) { continue }
            let (bytes, rate) = headroom(index)
            if bytes > CacheFilling.tolerance { step = min(step, bytes / rate) }
        }
        if givers.isEmpty {
            if growth > 0 { step = min(step, room / growth) }
        } else if case let displaced = displaced(by: givers), displaced > 0 {
            step = min(step, givers.reduce(0) { $0 + routes[$1].bytes } / displaced)
        }
        return step.isFinite ? max(0, step) : nil
    }

    private mutating func advance(_ step: Double, _ givers: [Int]) {
        let held = givers.reduce(0) { $0 + routes[$1].bytes }
        let taken = min(held, displaced(by: givers) * step)
        for index in routes.indices {
            if givers.contains(index) {
                routes[index].bytes -= taken * routes[index].bytes / held
                if held - taken <= CacheFilling.tolerance {
                    routes[index].bytes = 0
                    routes[index].grows = false
                }
            } else if routes[index].grows {
                routes[index].bytes += routes[index].rate * step
            }
        }
        time += step
    }
}
