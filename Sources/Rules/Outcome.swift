public import Payload

/// What became of one message in one rule.
public enum Outcome: Sendable, Hashable {
    /// The condition is FALSE or NULL.
    case noMatch
    /// The output holds the result, a JSON object.
    case matched
    /// The rule could not be evaluated. The message is counted and passed over.
    case failed(Failure)

    public enum Failure: Sendable, Hashable {
        /// The rule reads the payload, and the payload is not JSON.
        case payloadNotJSON(JSONError)
        /// `*` stands for the members of an object, and the payload is something else.
        case payloadNotAnObject
        /// A text, the result or the work to be done exceeds ``RuleLimits``.
        case limitExceeded
    }
}
