internal import CModbus
import Core
import Glibc
import Synchronization

// The direction of a line that a GPIO line switches. libmodbus makes its frames and writes them in one call, and calls back
// around the write, by its own interface for a transceiver on RTS.

/// The open line of a connection whose direction is switched here. For the thread that uses the connection, which is the
/// one that libmodbus calls back on: that makes it Sendable.
final class SwitchedLine: @unchecked Sendable {
    /// The callback is given libmodbus' context and nothing else.
    private static let byContext = Mutex<[UInt: SwitchedLine]>([:])

    private let direction: RS485Switch
    private let context: OpaquePointer
    private let port: Int32
    /// Through which the bytes go while somebody traces.
    var tap: LineTap?
    private var problem: FieldBusError?

    /// - Parameter port: what libmodbus writes to, unless there is a tap.
    init(_ direction: RS485Switch, context: OpaquePointer, port: Int32) {
        self.direction = direction
        self.context = context
        self.port = port
        Self.byContext.withLock { $0[UInt(bitPattern: context)] = self }
    }

    /// The line is closed: nothing switches it any more.
    func remove() { _ = Self.byContext.withLock { $0.removeValue(forKey: UInt(bitPattern: context)) } }

    /// Has libmodbus switch the line of this context whenever there is one.
    static func install(in context: OpaquePointer) {
        _ = cmodbus_turn(context) { context, isSending in
            // libmodbus' caller looks at the errno of the write.
            let code = errno
            defer { errno = code }
            let line = SwitchedLine.byContext.withLock { $0[UInt(bitPattern: context)] }
            // libmodbus has waited for as long as the frame takes.
            if isSending != 0 { line?.begin() } else { line?.end(bytes: 0) }
        }
    }

    func begin() { note { () throws(FieldBusError) in try direction.begin() } }

    /// - Parameter bytes: as for ``RS485Switch/end(bytes:descriptor:)``.
    func end(bytes: Int) {
        tap?.awaitSent()
        note { () throws(FieldBusError) in try direction.end(bytes: bytes, descriptor: tap?.line ?? port) }
    }

    /// Why the GPIO line could not be switched since the last call.
    func takeProblem() -> FieldBusError? {
        defer { problem = nil }
        return problem
    }

    private func note(_ body: () throws(FieldBusError) -> Void) {
        do throws(FieldBusError) { try body() } catch { problem = problem ?? error }
    }
}
