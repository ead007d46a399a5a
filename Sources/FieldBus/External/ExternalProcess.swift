import CBoard
import Glibc

/// A program that is started with a socket as its standard input and output.
enum ExternalProcess {
    /// Starts the program, in a process group of its own, without any other descriptor of this process. What it writes to
    /// standard error goes where this process' goes.
    static func start(
        _ arguments: [String], workingDirectory: String?, standardStreams: Int32
    ) -> Result<pid_t, FieldBusError> {
        var process = pid_t()
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let code = martlet_spawn(&process, &words, workingDirectory, standardStreams)
        guard code == 0 else {
            return .failure(.unavailable(what: "program \(arguments[0])", detail: String(cString: strerror(-code))))
        }
        return .success(process)
    }

    /// Waits for a program that has closed its output, and ends it when it does not end by itself: by SIGTERM after a second,
    /// by SIGKILL after two more.
    ///
    /// - Parameter politely: false sends SIGTERM at once.
    /// - Returns: how it ended, in words.
    static func end(_ process: pid_t, politely: Bool) -> String {
        var status: Int32 = 0
        for round in 0... {
            let result = waitpid(process, &status, WNOHANG)
            if result == process { break }
            if result < 0, errno != EINTR { return "it ended" }
            if round == (politely ? 20 : 0) { kill(-process, SIGTERM) }
            if round == 60 { kill(-process, SIGKILL) }
            usleep(50_000)
        }
        // What it may have started itself.
        kill(-process, SIGKILL)
        let signal = status & 0x7F
        if signal != 0 { return "it was ended by signal \(signal)" }
        return "it ended with exit code \(status >> 8 & 0xFF)"
    }
}
