import Core
import Payload

/// The envelope of a command to a device of this broker, `{"id":…,"version":"1.0","method":…,"params":…}`.
struct LocalCommand {
    let identifier: String
    let method: String

    init(identifier: String, method: String) {
        self.identifier = identifier
        self.method = method
    }

    /// As ``LocalAnswer/identifier`` has it.
    var identifierJSON: [UInt8] {
        var writer = JSONWriter()
        writer.string(identifier)
        return writer.finish()
    }

    func payload(params: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("id")
        writer.string(identifier)
        writer.envelope(version: "1.0", method: method)
        params(&writer)
        writer.endObject()
        return writer.finish()
    }
}

/// The envelope of a device's answer, `{"id":…,"code":…,"data":…,"message":…}`.
struct LocalAnswer {
    /// The command's `id` as JSON text.
    var identifier: [UInt8]
    var code: Int
    /// At most 200 characters.
    var message: String
    /// As JSON text; empty if there is none.
    var data: [UInt8]

    /// nil if it is none.
    init?(_ payload: UnsafeRawBufferPointer, scanner: inout JSONScanner) {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return nil
        }
        guard let code = scanner.integer("code", of: JSONScanner.root) else { return nil }
        identifier = MessageIdentifier.of(scanner).json
        self.code = Int(clamping: code)
        let text = scanner.member("message", of: JSONScanner.root).flatMap { scanner.string($0) } ?? ""
        message = String(text.prefix(200))
        data = scanner.member("data", of: JSONScanner.root).map { Array(scanner.raw($0)) } ?? []
    }
}
