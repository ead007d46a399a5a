import Core
import Payload

/// The metrics of one topic: of the edge node itself or of one device.
struct SparkplugTags {
    private(set) var list: [SparkplugTag] = []
    private var byName: [String: Int] = [:]
    private var byAlias: [UInt64: Int] = [:]

    mutating func append(_ tag: SparkplugTag) {
        byName[tag.name] = list.count
        byAlias[tag.alias] = list.count
        list.append(tag)
    }

    func index(named name: String) -> Int? { byName[name] }

    /// The metric that a command means: aliases come first, since names may be left out.
    func index(of metric: SparkplugMetric) -> Int? {
        if let alias = metric.alias { return byAlias[alias] }
        return metric.name.flatMap { byName[$0] }
    }

    subscript(index: Int) -> SparkplugTag {
        get { list[index] }
        _modify { yield &list[index] }
    }

    func births(now: Timestamp) -> [SparkplugMetric] { list.map { $0.birth(now: now) } }
}

/// One device behind the edge node.
struct SparkplugDevice {
    let identifier: DeviceIdentifier
    /// Its level in the topics.
    let name: String
    var tags = SparkplugTags()
    var presence = DevicePresence()
    /// The host has its birth, of this session of the edge node, with all its metrics as they are.
    var isBorn = false
}
