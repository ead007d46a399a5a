import ArgumentParser
import Glibc
import Security

struct PasswdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Adds a user to a password file, gives it another password, or removes it.",
        discussion: """
            The password is asked for at the terminal, or read from the first line of standard input. The file is made if it \
            is not there, replaced in one step, and readable by its owner only. mosquitto reads it too, except for --scram.
            """)

    @Argument(help: "The password file.")
    var file: String

    @Argument(help: "The user.")
    var user: String

    @Flag(name: [.long, .customShort("D")], help: "Removes the user.")
    var delete = false

    @Option(
        name: [.customShort("b"), .customLong("batch")],
        help: ArgumentHelp("The password; other users of this machine can see it while the command runs.", valueName: "password"))
    var password: String?

    @Flag(help: "Keeps what SCRAM-SHA-256 needs; the user may send the password plainly as well.")
    var scram = false

    @Option(
        help: """
            How often the password is hashed, 1…1000000; \(PasswordHash.defaultIterations) if not given, \
            \(ScramVerifier.defaultIterations) with --scram.
            """)
    var iterations: Int?

    func validate() throws {
        if delete, password != nil || scram || iterations != nil {
            throw ValidationError("--delete needs no password, --scram or --iterations")
        }
        if let iterations, !(1...PasswordHash.maximumIterations).contains(iterations) {
            throw ValidationError("--iterations is 1…\(PasswordHash.maximumIterations)")
        }
    }

    func run() throws {
        do {
            var editor = try PasswordFileEditor(path: file)
            let name = Array(user.utf8)
            if delete {
                guard editor.remove(user: name) else {
                    Console.error("\(file): there is no user \(user)")
                    throw ExitCode(1)
                }
                try editor.save()
                Console.print("removed \(user)")
                return
            }
            let password = try self.password.map { Array($0.utf8) } ?? TerminalPassword.read(for: user)
            guard !password.isEmpty else {
                Console.error("the password is empty")
                throw ExitCode(1)
            }
            let existed =
                if scram {
                    try editor.set(
                        user: name,
                        to: ScramVerifier(password: password, iterations: iterations ?? ScramVerifier.defaultIterations))
                } else {
                    try editor.set(
                        user: name, to: PasswordHash.make(password, iterations: iterations ?? PasswordHash.defaultIterations))
                }
            try editor.save()
            Console.print("\(existed ? "changed the password of" : "added") \(user)")
        } catch let error as PasswordFileError {
            Console.error(error.description)
            throw ExitCode(1)
        }
    }
}

/// A password from the terminal, without echo, or from the first line of standard input.
enum TerminalPassword {
    private static let limit = 65_535

    static func read(for user: String) throws -> [UInt8] {
        guard isatty(STDIN_FILENO) == 1 else { return try line() }
        let first = try asked("Password of \(user): ")
        guard try asked("Once more: ") == first else {
            Console.error("the two passwords are not the same")
            throw ExitCode(1)
        }
        return first
    }

    private static func asked(_ prompt: String) throws -> [UInt8] {
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        // An interruption must not leave a terminal that shows nothing.
        TerminalPassword.shown = before
        signal(SIGINT) { _ in
            var shown = TerminalPassword.shown
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
            _exit(130)
        }
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            signal(SIGINT, SIG_DFL)
            Console.error("")
        }
        _ = prompt.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        return try line()
    }

    /// What the terminal is set back to. Written before the handler that reads it is there.
    nonisolated(unsafe) private static var shown = termios()

    private static func line() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            let count = Glibc.read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            if count <= 0 || byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
            guard bytes.count <= limit else {
                Console.error("the password is longer than \(limit) bytes")
                throw ExitCode(1)
            }
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return bytes
    }
}
