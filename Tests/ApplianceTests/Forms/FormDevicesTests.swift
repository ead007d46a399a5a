import Bridge
import Configuration
import FieldBus
import Testing

@testable import Appliance

@Suite("The devices that a form is told of")
struct FormDevicesTests {
    @Test("a device has the points of its product, with the types of the values that they post")
    func points() throws {
        let configuration = try MartletConfiguration.decode(
            text: """
                [[product]]
                key = "meter"
                group = [{name = "g"}]
                  [[product.point]]
                  identifier = "on"
                  type = "BOOL"
                  area = "coil"
                  address = 0
                  writable = true
                  [[product.point]]
                  identifier = "temp"
                  type = "INT"
                  unit = "°C"
                  scale = 0.1
                  area = "holding-register"
                  address = 1
                  [[product.point]]
                  identifier = "count"
                  type = "UDINT"
                [[product]]
                key = "label"
                [[device]]
                product = "label"
                key = "l1"
                [[device]]
                product = "meter"
                key = "m1"
                """, file: "m", drivers: Drivers.catalogue)
        #expect(
            configuration.formDevices == [
                FormDevice(product: "label", key: "l1", points: []),
                FormDevice(
                    product: "meter", key: "m1",
                    points: [
                        FormPoint(identifier: "on", type: .boolean, isWritable: true),
                        FormPoint(identifier: "temp", type: .double, unit: "°C"),
                        // Not on a bus: its device is asked.
                        FormPoint(identifier: "count", type: .unsigned(32), isWritable: true),
                    ]),
            ])
    }
}
