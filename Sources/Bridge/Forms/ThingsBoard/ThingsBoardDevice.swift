import Core

/// A device behind the gateway.
struct ThingsBoardDevice {
    let identifier: DeviceIdentifier
    let name: String
    /// Those of the configuration.
    let points: [String: FormPoint]
    /// What each measurement point last told.
    var latest: [String: DevicePost.Value] = [:]
    private var times: [String: Timestamp] = [:]
    var presence = DevicePresence()
    /// ThingsBoard has been told, on this connection, that it is there.
    var isConnected = false

    /// Points of a device of which values are kept; of those beyond, none are.
    private static let limit = 10_000

    init(identifier: DeviceIdentifier, name: String, points: [FormPoint]) {
        self.identifier = identifier
        self.name = name
        self.points = Dictionary(points.map { ($0.identifier, $0) }) { first, _ in first }
    }

    mutating func take(_ post: DevicePost) {
        presence.take(post)
        guard post.kind == .measurepoints else { return }
        for item in post.items {
            let known = times[item.name]
            guard known.map({ $0 <= post.time }) ?? (times.count < Self.limit) else { continue }
            times[item.name] = post.time
            latest[item.name] = item.value
        }
    }

    /// Whether a command may set a point: as the configuration says, and of points that it does not know the device.
    func isWritable(_ point: String) -> Bool { points[point]?.isWritable ?? (latest[point] != nil) }
}
