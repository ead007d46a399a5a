import Configuration

/// What has to become of the open ports when a configuration takes the place of another.
///
/// The system opens no port twice, also not on 0.0.0.0 beside 127.0.0.1: what is on its way out and in the way of something
/// new is closed before that is opened. SO_REUSEPORT would spare the moment without a port, and let any other program of the
/// same user take connections of ours.
struct PortChange: Equatable {
    struct Opening: Equatable {
        /// Which of the configuration's listeners.
        var listener: Int
        /// Which of the open ports goes on as this one, with its connections.
        var inPlaceOf: Int?
    }

    struct Staying: Equatable {
        /// Which of the open ports.
        var port: Int
        /// Which of the configuration's listeners.
        var listener: Int
    }

    private(set) var openings: [Opening] = []
    private(set) var staying: [Staying] = []
    /// Which of the open ports the configuration does not have.
    private(set) var leaving: [Int] = []
    private(set) var opensMetrics = false
    private(set) var closesMetrics = false
    /// Which of the open ports have to be closed before anything is opened.
    private(set) var inTheWay: [Int] = []
    private(set) var metricsAreInTheWay = false

    /// - Parameters:
    ///   - ports: the listeners that are there; one of them may have failed to open again.
    ///   - metrics: nil if there is no such port.
    init(
        _ ports: [(table: MartletConfiguration.Listener, isOpen: Bool)], metrics: (table: MartletConfiguration.Metrics, isOpen: Bool)?,
        to new: MartletConfiguration
    ) {
        var left = Set(ports.indices)
        for (index, table) in new.listeners.enumerated() {
            let port = ports.firstIndex { $0.isOpen && $0.table.isOpenAlike(table) }
            guard let port else { continue }
            left.remove(port)
            staying.append(Staying(port: port, listener: index))
        }
        for (index, table) in new.listeners.enumerated() where !staying.contains(where: { $0.listener == index }) {
            let covered = left.sorted().filter { table.takesIn(ports[$0].table) }
            let port = covered.first { ports[$0].table.name == table.name } ?? covered.first
            if let port { left.remove(port) }
            openings.append(Opening(listener: index, inPlaceOf: port))
        }
        leaving = left.sorted()
        opensMetrics = new.metrics.port != nil && !(metrics.map { $0.isOpen && $0.table == new.metrics } ?? false)
        closesMetrics = metrics != nil && (opensMetrics || new.metrics.port == nil)

        var places = openings.compactMap { new.listeners[$0.listener].networkPlace }
        if opensMetrics, let place = new.metrics.networkPlace { places.append(place) }
        inTheWay = (leaving + openings.compactMap(\.inPlaceOf)).sorted().filter { port in
            guard let place = ports[port].table.networkPlace else { return !leaving.contains(port) }
            return places.contains { $0.overlaps(place) }
        }
        if closesMetrics, let place = metrics?.table.networkPlace { metricsAreInTheWay = places.contains { $0.overlaps(place) } }
    }
}

extension MartletConfiguration.Listener {
    /// Whether a port that is open for one of them serves for the other.
    fileprivate func isOpenAlike(_ other: Self) -> Bool {
        place == other.place && (transport == .unix) == (other.transport == .unix) && (transport != .unix || socketMode == other.socketMode)
    }

    /// Whether whoever could connect to the other one could connect to this one at the same place.
    fileprivate func takesIn(_ other: Self) -> Bool {
        guard let place = networkPlace, let others = other.networkPlace else { return transport == other.transport && path == other.path }
        return place.covers(others)
    }
}
