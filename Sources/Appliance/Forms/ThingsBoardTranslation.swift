import Bridge
import Configuration

extension MartletConfiguration {
    /// Makes a bridge a gateway of ThingsBoard.
    func add(_ table: Bridge.ThingsBoard, to made: inout BridgeConfiguration) {
        var configuration = ThingsBoardConfiguration()
        configuration.deviceName = table.deviceName
        configuration.devicesPerMessage = table.devicesPerMessage
        configuration.sendsQuality = table.sendsQuality
        configuration.syncsAttributes = table.syncsAttributes
        configuration.commandTimeout = table.commandTimeout
        let devices = formDevices
        if let tokenFile = table.tokenFile { made.passwordFile = resolve(path: tokenFile) }
        made.join(table.batchSize, table.batchAge)
        made.form = BridgeConfiguration.FormFactory(settings: "\(configuration) \(devices)") { [configuration] in
            ThingsBoardForm(configuration: configuration, devices: devices)
        }
    }
}
