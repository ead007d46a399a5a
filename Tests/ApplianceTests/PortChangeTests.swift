import Configuration
import Testing

@testable import Appliance

@Suite("What a changed configuration does to open ports")
struct PortChangeTests {
    private typealias Listener = MartletConfiguration.Listener
    private typealias Opening = PortChange.Opening

    private func listener(_ name: String, _ address: String = "127.0.0.1", _ port: Int = 1883) -> Listener {
        var listener = Listener()
        listener.name = name
        listener.address = address
        listener.port = port
        return listener
    }

    private func socket(_ mode: UInt32 = 0o660) -> Listener {
        var listener = Listener()
        listener.name = "programs"
        listener.transport = .unix
        listener.path = "mqtt.sock"
        listener.socketMode = FileMode(mode)
        return listener
    }

    private func metrics(_ address: String = "127.0.0.1", _ port: Int = 9464, path: String = "/metrics") -> MartletConfiguration.Metrics {
        var metrics = MartletConfiguration.Metrics()
        metrics.address = address
        metrics.port = port
        metrics.path = path
        return metrics
    }

    private func change(
        _ ports: [Listener], _ metrics: MartletConfiguration.Metrics? = nil, closed: Set<Int> = [], to listeners: [Listener],
        _ newMetrics: MartletConfiguration.Metrics? = nil
    ) -> PortChange {
        var new = MartletConfiguration()
        new.listeners = listeners
        if let newMetrics { new.metrics = newMetrics }
        return PortChange(
            ports.enumerated().map { ($1, !closed.contains($0)) }, metrics: metrics.map { ($0, true) }, to: new)
    }

    @Test("a port that is the same stays open, whatever its listener is called")
    func stays() {
        let change = change([listener("a")], metrics(), to: [listener("b")], metrics())
        #expect(change.staying == [PortChange.Staying(port: 0, listener: 0)])
        #expect(change.openings.isEmpty && change.leaving.isEmpty && change.inTheWay.isEmpty)
        #expect(!change.opensMetrics && !change.closesMetrics)
    }

    @Test("from one address to all of them a listener makes way for itself and keeps its connections", arguments: ["0.0.0.0", "::"])
    func widens(address: String) {
        let change = change([listener("a")], to: [listener("a", address)])
        #expect(change.openings == [Opening(listener: 0, inPlaceOf: 0)])
        #expect(change.inTheWay == [0] && change.leaving.isEmpty)
    }

    @Test("from all addresses to one it makes way and sends its clients away, who may come from elsewhere")
    func narrows() {
        let change = change([listener("a", "0.0.0.0")], to: [listener("a", "127.0.0.1")])
        #expect(change.openings == [Opening(listener: 0, inPlaceOf: nil)])
        #expect(change.inTheWay == [0] && change.leaving == [0])
    }

    @Test("to another port or another address of its own it is opened before the old one is closed")
    func elsewhere() {
        for new in [listener("a", "127.0.0.1", 1884), listener("a", "127.0.0.2")] {
            let change = change([listener("a")], to: [new])
            #expect(change.openings == [Opening(listener: 0, inPlaceOf: nil)])
            #expect(change.inTheWay.isEmpty && change.leaving == [0])
        }
    }

    @Test("of two listeners that one takes in, the one with its name goes on as it")
    func two() {
        let change = change([listener("a"), listener("b", "127.0.0.2")], to: [listener("b", "0.0.0.0")])
        #expect(change.openings == [Opening(listener: 0, inPlaceOf: 1)])
        #expect(change.inTheWay == [0, 1] && change.leaving == [0])
    }

    @Test("a port that could not be opened again is tried once more, with its connections")
    func closed() {
        let change = change([listener("a")], closed: [0], to: [listener("a")])
        #expect(change.openings == [Opening(listener: 0, inPlaceOf: 0)])
    }

    @Test("a socket with another mode is made anew")
    func mode() {
        #expect(change([socket()], to: [socket()]).openings.isEmpty)
        let change = change([socket()], to: [socket(0o600)])
        #expect(change.openings == [Opening(listener: 0, inPlaceOf: 0)] && change.inTheWay == [0])
    }

    @Test("metrics with another path or on all addresses make way for themselves")
    func metricsChange() {
        for new in [metrics(path: "/other"), metrics("0.0.0.0")] {
            let change = change([], metrics(), to: [], new)
            #expect(change.opensMetrics && change.closesMetrics && change.metricsAreInTheWay)
        }
        let elsewhere = change([], metrics(), to: [], metrics("127.0.0.1", 9465))
        #expect(elsewhere.opensMetrics && elsewhere.closesMetrics && !elsewhere.metricsAreInTheWay)
        let gone = change([], metrics(), to: [])
        #expect(!gone.opensMetrics && gone.closesMetrics)
    }

    @Test("a listener and the metrics can change places")
    func metricsAndListener() {
        let change = change([listener("a", "127.0.0.1", 1)], metrics("127.0.0.1", 2), to: [listener("a", "127.0.0.1", 2)], metrics("127.0.0.1", 1))
        #expect(change.inTheWay == [0] && change.metricsAreInTheWay)
        #expect(change.openings == [Opening(listener: 0, inPlaceOf: nil)] && change.opensMetrics)
    }
}
