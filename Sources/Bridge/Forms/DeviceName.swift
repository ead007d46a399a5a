import Core

/// What a device is called upstream: a text with `${product}` and `${device}` in it.
struct DeviceName: Equatable {
    private enum Part: Equatable {
        case text(String)
        case product
        case device
    }

    private var parts: [Part] = []

    /// Anything else in braces is text.
    init(_ template: String) {
        var rest = template[...]
        while !rest.isEmpty {
            if rest.hasPrefix("${product}") {
                parts.append(.product)
                rest = rest.dropFirst("${product}".count)
            } else if rest.hasPrefix("${device}") {
                parts.append(.device)
                rest = rest.dropFirst("${device}".count)
            } else {
                let end = rest.dropFirst().firstIndex(of: "$") ?? rest.endIndex
                parts.append(.text(String(rest[..<end])))
                rest = rest[end...]
            }
        }
    }

    func name(of device: DeviceIdentifier) -> String {
        parts.reduce(into: "") { name, part in
            switch part {
            case .text(let text): name += text
            case .product: name += device.productKey
            case .device: name += device.deviceKey
            }
        }
    }
}
