/// The codes of a reply envelope that the box gives or understands.
///
/// From 2000 on a code is the device's own.
public struct ReplyCode: RawRepresentable, Sendable, Hashable {
    public var rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let success = ReplyCode(rawValue: 200)
    /// The device has nothing that handles the command.
    public static let noHandler = ReplyCode(rawValue: 1101)
    /// The device's handler failed.
    public static let handlerFailed = ReplyCode(rawValue: 1102)
    /// A point or value does not fit the model.
    public static let valueDoesNotFitModel = ReplyCode(rawValue: 1204)
    /// The payload is not JSON, or not an envelope.
    public static let notJSON = ReplyCode(rawValue: 1220)
    /// The payload or its params are empty.
    public static let empty = ReplyCode(rawValue: 1251)
    /// The method does not belong to the topic.
    public static let methodMismatch = ReplyCode(rawValue: 1260)
}
