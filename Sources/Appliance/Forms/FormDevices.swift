import Bridge
import Configuration
import Core

// What a form is told of the devices: those of the configuration, with the points of their products.

extension MartletConfiguration {
    /// The devices in the order of the file, each with all points of its product.
    var formDevices: [FormDevice] {
        devices.map { device in
            FormDevice(
                product: device.product, key: device.key,
                points: product(key: device.product)?.points.map { FormPoint($0) } ?? [])
        }
    }
}

extension FormPoint {
    /// Of a point that no bus reads its device knows whether it can be written.
    init(_ point: MartletConfiguration.Product.Point) {
        self.init(
            identifier: point.identifier, type: ValueType(point), unit: point.unit,
            isWritable: point.writable || !point.isOnBus)
    }
}

extension FormPoint.ValueType {
    /// The type of the values that the point's posts have, which is LREAL for a number that is scaled.
    init(_ point: MartletConfiguration.Product.Point) {
        if point.scale != nil || point.offset != nil {
            self = .double
            return
        }
        self =
            switch point.type {
            case .bool: .boolean
            case .int: .signed(16)
            case .uint: .unsigned(16)
            case .dint: .signed(32)
            case .udint: .unsigned(32)
            case .lint: .signed(64)
            case .ulint: .unsigned(64)
            case .real: .float
            case .lreal: .double
            case .string: .string
            }
    }
}
