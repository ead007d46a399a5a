import Core
import Payload

/// Values of points as a cloud's document of a device holds them, a level for product, device and point:
///
///     {"meter":{"m1":{"setpoint":21.5,"pump":true}}}
struct PointTree: Equatable {
    /// Points that are read from one document.
    static let limit = 4096

    struct Leaf: Equatable {
        var point: String
        /// A boolean, number or string as JSON text.
        var json: [UInt8]
    }

    /// In the order of the text.
    private(set) var devices: [(identifier: DeviceIdentifier, leaves: [Leaf])] = []
    private var index: [DeviceIdentifier: Int] = [:]
    private var count = 0

    init() {}

    /// Reads what is there; whatever is no such tree, or not a value, is passed over.
    ///
    /// - Parameter node: nil for an empty tree.
    init(_ scanner: borrowing JSONScanner, _ node: Int?) {
        guard let node else { return }
        Self.members(of: node, scanner) { product, devices in
            Self.members(of: devices, scanner) { device, points in
                guard DeviceTopic.isKey(product), DeviceTopic.isKey(device) else { return }
                let identifier = DeviceIdentifier(productKey: product, deviceKey: device)
                Self.members(of: points, scanner) { point, value in
                    switch scanner[value].kind {
                    case .true, .false, .number, .string: append(Leaf(point: point, json: Array(scanner.raw(value))), of: identifier)
                    case .null, .array, .object: break
                    }
                }
            }
        }
    }

    private static func members(of object: Int, _ scanner: borrowing JSONScanner, _ body: (String, Int) -> Void) {
        guard scanner[object].kind == .object else { return }
        var name = scanner.first(in: object)
        while let node = name {
            body(scanner.string(node) ?? "", node + 1)
            name = scanner.next(after: node + 1, in: object)
        }
    }

    mutating func append(_ leaf: Leaf, of device: DeviceIdentifier) {
        guard count < Self.limit else { return }
        count += 1
        if let number = index[device] {
            devices[number].leaves.append(leaf)
        } else {
            index[device] = devices.count
            devices.append((device, [leaf]))
        }
    }

    var isEmpty: Bool { devices.isEmpty }

    func value(of point: String, _ device: DeviceIdentifier) -> [UInt8]? {
        index[device].flatMap { devices[$0].leaves.last { $0.point == point }?.json }
    }

    /// What of this tree the other does not have as well.
    func difference(from other: PointTree) -> PointTree {
        var difference = PointTree()
        for (device, leaves) in devices {
            for leaf in leaves where !Self.isSame(leaf.json, other.value(of: leaf.point, device)) {
                difference.append(leaf, of: device)
            }
        }
        return difference
    }

    /// Numbers are the same whatever their text is: `21.50` is `21.5`.
    static func isSame(_ a: [UInt8], _ b: [UInt8]?) -> Bool {
        guard let b else { return false }
        if a == b { return true }
        guard let x = a.withUnsafeBytes({ JSONNumber($0) }), let y = b.withUnsafeBytes({ JSONNumber($0) }) else { return false }
        return x.double == y.double
    }

    static func == (a: PointTree, b: PointTree) -> Bool { a.devices.elementsEqual(b.devices) { $0 == $1 } }
}
