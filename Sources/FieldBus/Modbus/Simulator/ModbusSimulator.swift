import CModbus
import Core
import Glibc
import Synchronization

/// A Modbus TCP device in this process: libmodbus' server side on a thread of its own, answering for a ``SimulatedMeter``
/// under every unit identifier. The built-in demo and the self-test poll it.
///
/// It listens on 127.0.0.1 only, serves up to ``maxClients`` and closes what connects beyond that. It stops when it is no
/// longer referenced, or by ``stop()``.
public final class ModbusSimulator: Sendable {
    public static let maxClients = 16

    /// The port it listens on.
    public let port: Int
    private let wakeUp: Int32
    private let isStopped = Mutex(false)

    /// Starts listening.
    ///
    /// - Parameter port: 0 takes a free one.
    public init(port: Int = 0) throws(FieldBusError) {
        let server = try SimulatorServer(port: port)
        self.port = server.port
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .unavailable(what: "pipe", detail: String(cString: strerror(errno))) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wakeUp = ends[1]
        let stop = ends[0]
        DetachedThread.start(name: "modbus-sim") {
            server.run(stop: stop)
            close(stop)
        }
    }

    deinit { stop() }

    /// Closes the port and all connections, soon.
    public func stop() {
        isStopped.withLock { isStopped in
            if isStopped { return }
            isStopped = true
            close(wakeUp)
        }
    }
}
