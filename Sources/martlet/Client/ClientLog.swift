/// What a client's command says on the standard error.
struct ClientLog: Sendable {
    var command: String
    /// Whether what happens is said too.
    var isVerbose: Bool
    /// Whether errors are not said.
    var isQuiet: Bool

    func error(_ text: String) {
        if !isQuiet { Console.error("martlet \(command): \(text)") }
    }

    @Sendable func note(_ text: String) {
        if isVerbose { Console.error(text) }
    }
}
