/// What is wrong with a command. The code and the message go into the reply.
public struct CommandFailure: Error, Sendable, Hashable {
    public var code: ReplyCode
    public var message: String
    /// The command's `id` as far as it could be read.
    public var identifier: MessageIdentifier

    public init(code: ReplyCode, message: String, identifier: MessageIdentifier = .absent) {
        self.code = code
        self.message = message
        self.identifier = identifier
    }
}

/// The envelope that every command comes in: `{"id":"7","version":"1.0","method":"…","params":…}`. `version` may be anything
/// or absent; members that are not known are passed over.
enum CommandEnvelope {
    /// What is wrong with a command whose `id` has been read.
    struct Fault: Error {
        var code: ReplyCode
        var message: String

        init(_ code: ReplyCode, _ message: String) {
            self.code = code
            self.message = message
        }
    }

    /// - Parameters:
    ///   - topic: whose method the envelope has to name.
    ///   - read: makes something of `params`, which are not null.
    /// - Throws: ``CommandFailure`` with 1251 (nothing there), 1220 (not JSON or not an envelope), 1260 (another method, or none)
    ///   or what `read` throws.
    static func read<Params>(
        _ payload: UnsafeRawBufferPointer, of topic: DeviceTopic,
        _ read: (_ scanner: borrowing JSONScanner, _ params: Int) throws(Fault) -> Params
    ) throws(CommandFailure) -> (identifier: MessageIdentifier, params: Params) {
        guard payload.count > 0 else { throw CommandFailure(code: .empty, message: "the payload is empty") }
        var scanner = JSONScanner()
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            throw CommandFailure(code: error.reason == .empty ? .empty : .notJSON, message: error.description)
        }
        guard scanner[JSONScanner.root].kind == .object else {
            throw CommandFailure(code: .notJSON, message: "the payload is not an object")
        }
        let identifier = MessageIdentifier.of(scanner)
        do throws(Fault) {
            return (identifier, try read(scanner, try params(scanner, of: topic)))
        } catch {
            throw CommandFailure(code: error.code, message: error.message, identifier: identifier)
        }
    }

    private static func params(_ scanner: borrowing JSONScanner, of topic: DeviceTopic) throws(Fault) -> Int {
        let method = topic.method.map { "\($0)" } ?? ""
        guard scanner.member("method", of: JSONScanner.root).flatMap({ scanner.string($0) }) == method else {
            throw Fault(.methodMismatch, "method is not \(method)")
        }
        guard let params = scanner.member("params", of: JSONScanner.root), scanner[params].kind != .null else {
            throw Fault(.empty, "params is absent")
        }
        return params
    }
}
