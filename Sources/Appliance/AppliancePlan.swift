import Bridge
public import Configuration
import FieldBus

/// A configuration whose every part has been checked by the part that will use it.
public struct AppliancePlan: Sendable {
    public let configuration: MartletConfiguration
    let rules: [CompiledRule]
    let bridges: [BridgeConfiguration]
    let buses: [ModbusBus]

    /// - Throws: every mistake, at its place in the file.
    public init(_ configuration: MartletConfiguration) throws(ConfigurationErrors) {
        var errors: [ConfigurationError] = []
        self.configuration = configuration
        rules = configuration.compileRules(&errors)
        bridges = configuration.bridgeConfigurations(&errors)
        buses = configuration.modbusBuses(&errors)
        if !errors.isEmpty { throw ConfigurationErrors(errors) }
    }
}
