/// What is wrong with a bus description. The message says where and what to do.
public enum FieldBusError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The description of the bus, a device or a point cannot work.
    case invalid(place: String, problem: String)
    /// The system refuses what a driver or simulator needs to start.
    case unavailable(what: String, detail: String)

    public var description: String {
        switch self {
        case .invalid(let place, let problem): "\(place): \(problem)"
        case .unavailable(let what, let detail): "\(what): \(detail)"
        }
    }
}
