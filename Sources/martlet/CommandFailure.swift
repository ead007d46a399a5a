import ArgumentParser
import Configuration

extension ExitCode {
    /// Says on standard error what ended a command.
    ///
    /// - Returns: what the command throws: its exit status, or what the parser of the command line has to say by itself.
    static func after(_ error: any Error) -> any Error {
        switch error {
        // Said already, or a wrong use of the command line.
        case is ExitCode, is ValidationError: return error
        // Each line has its place in a file.
        case let error as ConfigurationErrors: Console.error(error.description)
        default: Console.error("martlet: \(error)")
        }
        return ExitCode(1)
    }
}
