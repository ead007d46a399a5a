import Bridge
import Configuration
import Core
import MQTTCodec

// A bridge's form, from what its table says.

extension MartletConfiguration {
    /// Gives a bridge the form that the file wants, if it wants one.
    func addForm(of bridge: Bridge, to made: inout BridgeConfiguration) {
        if let enos = bridge.enos { add(enos, to: &made) }
        if let azure = bridge.azure { add(azure, of: bridge, to: &made) }
        if let aws = bridge.aws { add(aws, to: &made) }
        if let sparkplug = bridge.sparkplug { add(sparkplug, to: &made) }
        if let thingsBoard = bridge.thingsBoard { add(thingsBoard, to: &made) }
    }

    private func add(_ table: Bridge.EnOS, to made: inout BridgeConfiguration) {
        var configuration = EnOSConfiguration(
            gateway: DeviceIdentifier(productKey: table.productKey, deviceKey: table.deviceKey))
        configuration.signMethod = table.signMethod == .sha256 ? .sha256 : .sha1
        configuration.activates = table.activates
        configuration.batchSize = table.batchSize
        configuration.loginBatchSize = table.loginBatchSize
        configuration.maximumOnline = table.maxOnline
        configuration.sendsQuality = table.sendsQuality
        configuration.compression = table.compression == .gzip ? .gzip : .none
        configuration.commandTimeout = table.commandTimeout
        configuration.rrpcTimeout = table.rrpcTimeout
        made.version = .v311
        made.passwordFile = resolve(path: table.secretFile)
        made.join(table.batchSize, table.batchAge, bytes: 512 << 10)
        made.form = BridgeConfiguration.FormFactory(settings: "\(configuration)") { [configuration] in
            EnOSForm(configuration: configuration)
        }
    }

    private func add(_ table: Bridge.Azure, of bridge: Bridge, to made: inout BridgeConfiguration) {
        var configuration = AzureConfiguration(hub: table.hub ?? bridge.host)
        configuration.authentication = table.authentication == .sas ? .sharedAccessKey : .certificate
        configuration.tokenLifetime = table.tokenLifetime
        configuration.batchSize = table.batchSize
        configuration.messagesTopic = table.messagesTopic
        configuration.commandTimeout = table.commandTimeout
        let (name, devices) = (made.name, formDevices)
        made.version = .v311
        made.passwordFile = table.keyFile.map(resolve(path:))
        made.join(table.batchSize, table.batchAge, bytes: 256 << 10)
        made.form = BridgeConfiguration.FormFactory(settings: "\(configuration) \(devices)") { [configuration] in
            AzureForm(name: name, configuration: configuration, devices: devices)
        }
    }

    private func add(_ table: Bridge.AWS, to made: inout BridgeConfiguration) {
        var configuration = AWSConfiguration(thing: table.thing)
        configuration.topic = table.topic
        configuration.otherTopic = table.otherTopic
        configuration.shadow = table.shadow
        configuration.batchSize = table.batchSize
        configuration.jobsTopic = table.jobsTopic
        configuration.commandTimeout = table.commandTimeout
        let (name, devices) = (made.name, formDevices)
        made.join(table.batchSize, table.batchAge, bytes: 128 << 10)
        made.form = BridgeConfiguration.FormFactory(settings: "\(configuration) \(devices)") { [configuration] in
            AWSForm(name: name, configuration: configuration, devices: devices)
        }
    }
}

extension BridgeConfiguration {
    /// How many messages the form is offered at a time.
    mutating func join(_ count: Int, _ age: Duration, bytes: Int = 64 << 10) {
        batching.maximumCount = count
        batching.maximumBytes = bytes
        batching.maximumAge = count > 1 ? age : .zero
    }
}
