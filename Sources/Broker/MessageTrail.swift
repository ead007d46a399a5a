import Core
import MQTTCodec

// Keeps messages from going round and round between brokers that are bridged in a ring.
//
//     box A ──> box B ──> box C ──> box A
//     martlet-trail: A.7c1f.9/A      A.7c1f.9/A/B      A.7c1f.9/A/B/C     dropped: A stands there
//
// Each message carries the user property `martlet-trail`: a number that the first box gave it, then the boxes that it went
// through. A box drops what has been there, what has come to it under the same topic on another way, and what has gone
// through as many boxes as it may.

/// Marks the messages of a broker, and knows those that come back.
public struct MessageTrail {
    /// The name of the user property.
    public static let property = "martlet-trail"
    /// Messages whose numbers are remembered.
    static let memory = 16_384
    /// Bytes of a trail; what is longer is none.
    private static let maximumLength = 2048

    /// What is to be done with a message.
    enum Admission: Equatable {
        /// It was here before.
        case known
        /// It has no trail, and gets none here.
        case unmarked
        /// It is new here, and these are its properties from here on.
        case new(properties: [UInt8])
    }

    /// The box: no other one that the message may reach has its name.
    public let name: String
    /// Boxes that a message may go through, this one included.
    public let maximumHops: Int
    /// Whether a message with this topic that has no trail gets one; nil for all of them.
    public let begins: ((UnsafeRawBufferPointer) -> Bool)?
    private let nameBytes: [UInt8]
    /// `name.run.`
    private let prefix: [UInt8]
    private var lastNumber: UInt64 = 0
    private let hasher = ByteHash()
    /// Hashes of numbers and topics, the newest at `next - 1`.
    private var hashes: [UInt64] = []
    private var next = 0
    private var seen: Set<UInt64> = []

    /// - Parameters:
    ///   - name: letters, digits, `-`, `_` and `.`.
    ///   - run: tells the numbers of one run of the program from those of another.
    ///   - begins: see ``begins``.
    public init(name: String, maximumHops: Int, run: UInt64, begins: ((UnsafeRawBufferPointer) -> Bool)? = nil) {
        self.name = name
        self.maximumHops = maximumHops
        self.begins = begins
        nameBytes = Array(name.utf8)
        prefix = Array("\(name).\(String(run, radix: 36)).".utf8)
    }

    /// The most bytes by which the properties of a message grow here.
    var maximumGrowth: Int {
        // The property's identifier and two lengths; a UInt64 has up to 13 digits to the base 36.
        5 + MessageTrail.property.utf8.count + prefix.count + 13 + 1 + nameBytes.count
    }

    /// A message is about to be delivered here.
    ///
    /// - Parameter properties: those that travel with it, encoded.
    mutating func admit(topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer) -> Admission {
        // $SYS and the like stay where they are.
        if topic.first == UInt8(ascii: "$") { return .unmarked }
        guard let found = MessageTrail.find(in: properties) else {
            if let begins, !begins(topic) { return .unmarked }
            lastNumber += 1
            let number = prefix + Array(String(lastNumber, radix: 36).utf8)
            _ = remember(number[...], topic)
            return .new(properties: Array(properties) + MessageTrail.encoded(number + [UInt8(ascii: "/")] + nameBytes))
        }
        let trail = Array(properties[found.value])
        let parts = trail.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let hops = parts.dropFirst()
        if hops.count >= maximumHops || hops.contains(where: { $0.elementsEqual(nameBytes) }) { return .known }
        guard remember(parts[0], topic) else { return .known }
        let others = Array(properties[..<found.whole.lowerBound]) + Array(properties[found.whole.upperBound...])
        return .new(properties: others + MessageTrail.encoded(trail + [UInt8(ascii: "/")] + nameBytes))
    }

    /// Whether it is new.
    private mutating func remember(_ number: ArraySlice<UInt8>, _ topic: UnsafeRawBufferPointer) -> Bool {
        let hash = (number + Array(topic)).withUnsafeBytes { hasher($0) }
        guard seen.insert(hash).inserted else { return false }
        if hashes.count < MessageTrail.memory {
            hashes.append(hash)
        } else {
            seen.remove(hashes[next])
            hashes[next] = hash
            next = (next + 1) % MessageTrail.memory
        }
        return true
    }

    // MARK: Properties

    /// The user property.
    private static func encoded(_ value: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        ForwardedProperties.append(userProperty: property.utf8, value, to: &bytes)
        return bytes
    }

    /// Where the trail stands; nil if there is none.
    private static func find(in properties: UnsafeRawBufferPointer) -> ForwardedProperties.Place? {
        var at = 0
        while let place = ForwardedProperties.place(at: at, in: properties) {
            let isTrail = place.isUserProperty && properties[place.name].elementsEqual(property.utf8)
            if isTrail, place.value.count <= maximumLength { return place }
            at = place.whole.upperBound
        }
        return nil
    }
}
