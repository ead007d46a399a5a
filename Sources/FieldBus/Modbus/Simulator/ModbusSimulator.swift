import Core
import Glibc
import Synchronization

/// Modbus devices in this process, on a thread of their own: for the built-in demo, the self-test, and a line that is put
/// into service before its devices are.
///
/// It stops when it is no longer referenced, or by ``stop()``.
public final class ModbusSimulator: Sendable {
    public enum Line: Sendable {
        /// Modbus TCP, or RTU frames over TCP, at an IPv4 address; port 0 takes a free one.
        case tcp(address: String, port: Int, framing: ModbusFraming)
        /// The far end of a serial line.
        case serial(SerialLine)
        /// The far end of a serial line that is open already; closed with the simulator.
        case descriptor(Int32)
    }

    /// The port it listens on; 0 for a serial line.
    public let port: Int
    private let wakeUp: Int32
    private let isStopped = Mutex(false)

    /// A ``SimulatedMeter`` that answers under every unit identifier, at a port of 127.0.0.1.
    ///
    /// - Parameter port: 0 takes a free one.
    public convenience init(port: Int = 0) throws(FieldBusError) {
        let meter = SimulatedMeter.unit()
        try self.init(
            .tcp(address: "127.0.0.1", port: port, framing: .tcp),
            units: Dictionary(uniqueKeysWithValues: (0...255).map { ($0, meter) }))
    }

    /// Starts to serve.
    ///
    /// - Parameters:
    ///   - units: by unit identifier; nobody answers for others.
    ///   - delay: before each answer.
    ///   - maxClients: connections beyond are closed.
    public init(
        _ line: Line, units: [Int: SimulatedUnit], delay: Duration = .zero, maxClients: Int = 16
    ) throws(FieldBusError) {
        let server = try SimulatorServer(line, units: units, delay: delay, maxClients: maxClients)
        port = server.port
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .unavailable(what: "pipe", detail: String(cString: strerror(errno))) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wakeUp = ends[1]
        let stop = ends[0]
        signal(SIGPIPE, SIG_IGN)
        DetachedThread.start(name: "modbus-sim") {
            server.run(stop: stop)
            close(stop)
        }
    }

    deinit { stop() }

    /// Closes the line and all connections, soon.
    public func stop() {
        isStopped.withLock { isStopped in
            if isStopped { return }
            isStopped = true
            close(wakeUp)
        }
    }
}
