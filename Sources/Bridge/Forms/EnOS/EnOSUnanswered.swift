import Core
import DequeModule

/// Posts that have left the cache, because the platform's MQTT end has acknowledged them, and that its application has not
/// answered yet. One that it refuses because it takes the device for logged out is sent again after the login.
struct EnOSUnanswered {
    /// Bytes of payload and topic; with more the oldest are forgotten.
    static let maximumBytes = 4 << 20
    static let maximumCount = 4096

    struct Post {
        var device: DeviceIdentifier
        var publish: FormPublish
        var wasResent = false
        /// Waits for its device's login.
        var waits = false
    }

    private var posts: [UInt64: Post] = [:]
    private var order = Deque<UInt64>()
    private(set) var byteCount = 0
    var count: Int { posts.count }

    mutating func insert(_ identifier: UInt64, _ post: Post) {
        if posts[identifier] != nil { _ = take(identifier) }
        posts[identifier] = post
        order.append(identifier)
        byteCount += Self.size(post)
        while byteCount > Self.maximumBytes || posts.count > Self.maximumCount, let oldest = order.popFirst() {
            _ = take(oldest)
        }
        // Identifiers of answered posts stay in the order until it is their turn.
        if order.count > 2 * Self.maximumCount { trim() }
    }

    /// The post with an identifier, answered now.
    mutating func take(_ identifier: UInt64) -> Post? {
        guard let post = posts.removeValue(forKey: identifier) else { return nil }
        byteCount -= Self.size(post)
        if posts.isEmpty { order.removeAll() }
        return post
    }

    /// Keeps a post for after its device's next login.
    ///
    /// - Returns: false for one that has been sent again already.
    mutating func keep(_ identifier: UInt64, _ post: Post) -> Bool {
        guard !post.wasResent else { return false }
        var post = post
        post.waits = true
        insert(identifier, post)
        return true
    }

    /// What is to be sent again now that some devices are logged in, in the order in which it was sent first.
    mutating func takeResendable(_ isLoggedIn: (DeviceIdentifier) -> Bool) -> [FormPublish] {
        var publishes: [FormPublish] = []
        for identifier in order {
            guard var post = posts[identifier], post.waits, isLoggedIn(post.device) else { continue }
            post.waits = false
            post.wasResent = true
            posts[identifier] = post
            publishes.append(post.publish)
        }
        return publishes
    }

    /// No answer comes any more. What waits for a login goes on waiting; the rest has arrived, as far as can be told.
    mutating func connectionLost() {
        for identifier in order where posts[identifier]?.waits == false { _ = take(identifier) }
        trim()
    }

    private mutating func trim() {
        let posts = posts
        order = Deque(order.filter { posts[$0] != nil })
    }

    private static func size(_ post: Post) -> Int { post.publish.topic.count + post.publish.payload.count + 128 }
}
