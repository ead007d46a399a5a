package import Configuration

/// The drivers that the program has.
package enum Drivers {
    package static let all: [any Driver.Type] = [
        ModbusTCP.self,
        ModbusRTU.self,
        ModbusRTUOverTCP.self,
        GPIOLines.self,
        SerialText.self,
        SystemPoints.self,
        External.self,
    ]

    package static let catalogue = DriverCatalogue(all)

    package static func driver(_ protocolName: String) -> (any Driver.Type)? {
        all.first { $0.protocolName == protocolName }
    }
}
