public import Configuration
import Core
public import FieldBus

/// What `martlet run` does without a file: a simulated device, polled over Modbus TCP, a rule on what it says, and a
/// broker for whoever wants to look.
public struct Demo {
    public let simulator: ModbusSimulator
    public let configuration: MartletConfiguration

    /// - Parameters:
    ///   - port: of the broker, on the loopback interface.
    ///   - dataDirectory: where the databases go.
    public init(port: Int, dataDirectory: String) throws(FieldBusError) {
        simulator = try ModbusSimulator()
        var configuration = MartletConfiguration()
        configuration.appliance.name = "demo"
        configuration.appliance.dataDirectory = dataDirectory
        configuration.listeners[0].port = port

        var bus = MartletConfiguration.Bus()
        bus.name = "simulated"
        bus.protocol = ModbusTCP.protocolName
        var line = ModbusTCP.BusTable()
        line.host = "127.0.0.1"
        line.port = simulator.port
        bus.driver = DriverTable(line)
        configuration.buses = [bus]

        var product = MartletConfiguration.Product()
        product.key = "demo"
        product.name = "Simulated boiler"
        product.points = SimulatedMeter.points(interval: .seconds(1)).map(MartletConfiguration.Product.Point.init)
        configuration.products = [product]

        var device = MartletConfiguration.Device()
        device.product = "demo"
        device.key = "boiler"
        device.bus = bus.name
        device.driver = DriverTable(ModbusDeviceTable())
        configuration.devices = [device]

        var rule = MartletConfiguration.Rule()
        rule.name = "hot"
        rule.sql = #"SELECT measurepoints.temperature AS t FROM "/sys/+/+/thing/measurepoint/post" WHERE t > 60"#
        rule.topic = "alarms/${topic[3]}/hot"
        configuration.rules = [rule]
        self.configuration = configuration
    }
}

extension MartletConfiguration.Product.Point {
    /// A simulated point as the configuration would describe it.
    fileprivate init(_ point: ModbusPoint) {
        self.init()
        identifier = point.identifier
        type = point.type
        scale = point.conversion.scale
        offset = point.conversion.offset
        writable = point.writable
        var keys = ModbusPointTable()
        keys.area = point.area
        keys.address = point.address
        keys.bit = point.bit
        keys.length = point.type == .string ? point.length : nil
        driver = DriverTable(keys)
    }
}
