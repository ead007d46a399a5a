import Bridge
import Configuration
import Core

extension MartletConfiguration {
    /// Makes a bridge an edge node of Sparkplug B.
    func add(_ table: Bridge.Sparkplug, to made: inout BridgeConfiguration) {
        var configuration = SparkplugConfiguration(group: table.group, edgeNode: table.edgeNode)
        configuration.primaryHost = table.primaryHost
        configuration.deviceName = table.deviceName
        configuration.qos = table.qos == 1 ? .atLeastOnce : .atMostOnce
        configuration.commandTimeout = table.commandTimeout
        let devices = formDevices
        made.join(table.batchSize, table.batchAge)
        made.form = BridgeConfiguration.FormFactory(settings: "\(configuration) \(devices)") { [configuration] in
            SparkplugForm(configuration: configuration, devices: devices)
        }
    }
}
