import Core
import MQTTCodec

// `$share/{name}/{filter}`: of all sessions that subscribed with the same name and filter one gets each message
// (MQTT 5.0 §4.8.2). Clients of MQTT 3.1.1 may use it too.
//
// Who gets it goes round, among those that can take it at once: connected, and nothing waits for them. If there is none, it
// waits for a member that is connected, else for one whose session outlives its connection, else it is lost.

/// A subscription as the tree holds it.
struct Subscriber {
    let session: Session
    var subscription: Subscription
}

final class SharedGroup {
    let name: String
    private(set) var members: [Target] = []
    private var next = 0

    init(name: String) { self.name = name }

    var isEmpty: Bool { members.isEmpty }

    /// Adds a member or replaces its options.
    func put(_ subscriber: Subscriber) {
        let member = Target(subscriber, group: self)
        if let index = members.firstIndex(where: { $0.session === member.session }) {
            members[index] = member
        } else {
            members.append(member)
        }
    }

    func remove(_ session: Session) { members.removeAll { $0.session === session } }

    /// The member whose turn it is; nil if nobody can have a message of this quality of service.
    func pick(qos: QoS, topic: UnsafeRawBufferPointer) -> Target? {
        var waiting: Int?
        var away: Int?
        for step in 0..<members.count {
            let index = (next + step) % members.count
            let session = members[index].session
            if session.permissions?.mayReceive(topic) == false || members[index].hiddenLevel.hides(topic) { continue }
            if let client = session.client, !client.isClosing {
                if session.takesAtOnce(qos: min(qos, members[index].qos)) {
                    next = index + 1
                    return members[index]
                }
                if waiting == nil { waiting = index }
            } else if away == nil, session.isPersistent, min(qos, members[index].qos) != .atMostOnce {
                away = index
            }
        }
        guard let index = waiting ?? away else { return nil }
        next = index + 1
        return members[index]
    }
}

/// A filter of a shared subscription, taken apart.
struct SharedFilter {
    let name: String
    let filter: String

    static let prefix = "$share/"

    /// nil if `text` is not a valid one: [MQTT-4.8.2-1], [MQTT-4.8.2-2] the name is not empty and has no wildcard, and a
    /// filter follows.
    init?(_ text: String) {
        guard text.hasPrefix(SharedFilter.prefix) else { return nil }
        let rest = text.dropFirst(SharedFilter.prefix.count)
        guard let slash = rest.firstIndex(of: "/"), slash > rest.startIndex else { return nil }
        let name = rest[..<slash]
        guard !name.contains("+"), !name.contains("#") else { return nil }
        let filter = String(rest[rest.index(after: slash)...])
        guard TopicFilter(filter) != nil else { return nil }
        self.name = String(name)
        self.filter = filter
    }
}
