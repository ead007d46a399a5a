/// The `id` of an envelope, kept as the JSON text that it came as, because a reply echoes it verbatim: devices send a text
/// or a bare number.
public struct MessageIdentifier: Sendable, Hashable {
    /// Bytes of an identifier's text. A longer one counts as absent.
    public static let maxLength = 256

    /// A JSON string or number, or `null` if there was none.
    public let json: [UInt8]

    private init(json: [UInt8]) { self.json = json }

    public static let absent = MessageIdentifier(json: Array("null".utf8))

    /// An identifier that is sent as text.
    public init(_ number: UInt64) { json = Array("\"\(number)\"".utf8) }

    /// The member `id` of a scanned envelope.
    public static func of(_ scanner: borrowing JSONScanner) -> MessageIdentifier {
        guard let node = scanner.member("id", of: JSONScanner.root) else { return absent }
        let kind = scanner[node].kind
        let text = scanner.raw(node)
        guard kind == .string || kind == .number, text.count <= maxLength else { return absent }
        return MessageIdentifier(json: Array(text))
    }
}
