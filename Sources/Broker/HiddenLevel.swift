import MQTTCodec

// Wildcards at the start do not match topics that begin with `$` [MQTT-4.7.2-1], from the side of whoever has the filter. The
// filter of a client whose topics lie below a prefix starts behind that:
//
//     the client's        #           $x/a           does not match
//     here         site/7/#    site/7/$x/a           must not either
//                         └── a `$` here hides the topic

/// The byte of a topic at which a `$` hides it from a subscription below a prefix.
struct HiddenLevel: Equatable {
    /// 0 for nowhere: at the very start the tree itself knows.
    private let place: UInt16

    /// Nothing is hidden.
    static let none = HiddenLevel(place: 0)

    /// - Parameter filter: one that begins with a wildcard behind its prefix; a prefix has no wildcards.
    init(behindPrefixOf filter: String) {
        let filter = SharedFilter(filter)?.filter ?? filter
        let prefix = filter.utf8.prefix { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "#") }
        place = UInt16(exactly: prefix.count) ?? 0
    }

    private init(place: UInt16) { self.place = place }

    var isNone: Bool { place == 0 }

    @inline(__always)
    func hides(_ topic: UnsafeRawBufferPointer) -> Bool {
        place != 0 && topic.count > Int(place) && topic[Int(place)] == UInt8(ascii: "$")
    }
}
