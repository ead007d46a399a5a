/// What is wrong with a bridge's configuration.
public enum BridgeError: Error, Equatable, CustomStringConvertible {
    /// A prefix or template that can never give a topic name.
    case topicInvalid(String)
    /// A prefix that would melt the last level of one part with the first of the other.
    case levelsJoined(prefix: String, filter: String)
    /// A filter whose topics do not start with what is to be removed.
    case prefixNotInFilter(prefix: String, filter: String)
    /// `${` that is not followed by `topic[n]}`.
    case placeholderInvalid(String)

    public var description: String {
        switch self {
        case .topicInvalid(let text):
            "\"\(text)\" must not be empty, contain +, # or the null character, or exceed 65,535 bytes"
        case .levelsJoined(let prefix, let filter):
            "prefix \"\(prefix)\" before topics of \"\(filter)\" would make one level of two; end the prefix with /"
        case .prefixNotInFilter(let prefix, let filter):
            "remove-prefix \"\(prefix)\" is not what the topics of \"\(filter)\" start with, up to the end of a level"
        case .placeholderInvalid(let text):
            "\"\(text)\": a placeholder is ${topic[n]}, where n counts levels from 1, or from the end with a minus sign"
        }
    }
}
