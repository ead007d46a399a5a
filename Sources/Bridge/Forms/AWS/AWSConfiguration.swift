/// A thing of AWS IoT Core.
public struct AWSConfiguration: Sendable, Equatable {
    /// The thing's name.
    public var thing: String
    /// What a device's message is called there: `${thing}`, `${product}`, `${device}` and `${tail}`, which is what follows
    /// `/sys/{product}/{device}/`, without a leading `thing/`.
    public var topic = AWSConfiguration.defaultTopic
    /// What other messages are called: `${thing}` and `${topic}`, without a leading `/`.
    public var otherTopic = AWSConfiguration.defaultOtherTopic
    /// A named shadow; nil for the classic one.
    public var shadow: String?
    /// Messages in one, as a JSON array; with 1 each is an object by itself.
    public var batchSize = 1
    /// What jobs are called here.
    public var jobsTopic = "aws/jobs"
    /// How long a device may take to answer a command.
    public var commandTimeout = Duration.seconds(30)

    public static let defaultTopic = "dt/${thing}/${product}/${device}/${tail}"
    public static let defaultOtherTopic = "dt/${thing}/${topic}"

    public init(thing: String) { self.thing = thing }
}
