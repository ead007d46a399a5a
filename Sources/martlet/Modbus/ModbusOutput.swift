import ArgumentParser
import Core
import FieldBus

/// What the Modbus commands print.
enum ModbusOutput {
    /// Opens a line and traces it if asked to.
    static func open(_ transport: ModbusTransport, trace: Bool) throws -> ModbusConnection {
        do throws(FieldBusError) {
            var connection = try ModbusConnection(transport)
            if trace { connection.trace { _, exchange in Console.print(exchange.lines.joined(separator: "\n")) } }
            return connection
        } catch {
            throw ExitCode.after(error)
        }
    }

    /// The exit status of a request that failed, said in words.
    static func exit(_ failure: RequestFailure) -> ExitCode {
        Console.error("martlet: \(failure.detail)")
        return ExitCode(1)
    }

    static func milliseconds(_ duration: Duration) -> String {
        Decimals.text(Double(duration.wholeNanoseconds) / 1e6, digits: 1)
    }
}
