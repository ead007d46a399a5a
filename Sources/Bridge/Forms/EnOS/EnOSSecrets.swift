import Core
import Payload

/// What the secret's file holds: the gateway's secret, and those of the devices behind it.
///
///     # the gateway
///     1q2w3e4r5t
///     # product/device secret
///     meter/m1 6y7u8i9o0p
struct EnOSSecrets: Equatable {
    /// Lines that are read; more than a gateway may have devices.
    static let limit = 10_000

    var gateway: [UInt8]
    /// In the order of the file.
    var devices: [(identifier: DeviceIdentifier, secret: [UInt8])]

    init(_ file: [UInt8]) throws(FormError) {
        var gateway: [UInt8]?
        var devices: [(identifier: DeviceIdentifier, secret: [UInt8])] = []
        var known: Set<DeviceIdentifier> = []
        for (index, line) in file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard index < Self.limit else { throw FormError("the secret's file has more than \(Self.limit) lines") }
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
            switch words.count {
            case 1:
                guard gateway == nil else {
                    throw FormError(
                        "line \(index + 1) of the secret's file: a device's line is PRODUCT/DEVICE, a space and its secret")
                }
                gateway = Array(first)
            case 2:
                guard let device = Self.device(first), known.insert(device).inserted else {
                    throw FormError(
                        "line \(index + 1) of the secret's file: it must begin with PRODUCT/DEVICE, each device once")
                }
                devices.append((device, Array(words[1])))
            default:
                throw FormError("line \(index + 1) of the secret's file: a secret has no spaces")
            }
        }
        guard let gateway else {
            throw FormError("the secret's file lacks the gateway's own secret, on a line of its own")
        }
        self.gateway = gateway
        self.devices = devices
    }

    private static func device(_ text: ArraySlice<UInt8>) -> DeviceIdentifier? {
        let keys = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard keys.count == 2, let product = String(validating: keys[0], as: UTF8.self),
            let device = String(validating: keys[1], as: UTF8.self),
            DeviceTopic.isKey(product), DeviceTopic.isKey(device)
        else { return nil }
        return DeviceIdentifier(productKey: product, deviceKey: device)
    }

    static func == (a: EnOSSecrets, b: EnOSSecrets) -> Bool {
        a.gateway == b.gateway && a.devices.elementsEqual(b.devices) { $0 == $1 }
    }
}
