import Configuration

/// What a changed configuration file means for an appliance that runs.
struct ConfigurationChange: Equatable {
    /// Tables whose changes are in force at once, as the log names them.
    private(set) var applied: [String] = []
    /// Tables whose changes wait for the next start.
    private(set) var needsRestart: [String] = []

    /// - Parameters:
    ///   - old: what is in force.
    ///   - new: what the file says; what has to wait becomes as it is in `old`.
    init(from old: MartletConfiguration, to new: inout MartletConfiguration) {
        if new.appliance.logLevel != old.appliance.logLevel { applied.append("log-level") }
        keep(\.appliance.name, "name", old, &new)
        keep(\.appliance.dataDirectory, "data-directory", old, &new)
        keep(\.appliance.board, "board", old, &new)
        apply(\.broker, "[broker]", old, new)
        apply(\.listeners, "[[listener]]", old, new)
        apply(\.authentication, "[authentication]", old, new)
        apply(\.accessRules, "[[access-rule]]", old, new)
        apply(\.protection, "[protection]", old, new)
        apply(\.metrics, "[metrics]", old, new)
        apply(\.rules, "[[rule]]", old, new)
        apply(\.bridges, "[[bridge]]", old, new)
        apply(\.products, "[[product]]", old, new)
        apply(\.buses, "[[bus]]", old, new)
        apply(\.devices, "[[device]]", old, new)
        keep(\.cache, "[cache]", old, &new)
    }

    private mutating func apply<Value: Equatable>(
        _ path: KeyPath<MartletConfiguration, Value>, _ name: String, _ old: MartletConfiguration, _ new: MartletConfiguration
    ) {
        if old[keyPath: path] != new[keyPath: path] { applied.append(name) }
    }

    private mutating func keep<Value: Equatable>(
        _ path: WritableKeyPath<MartletConfiguration, Value>, _ name: String, _ old: MartletConfiguration,
        _ new: inout MartletConfiguration
    ) {
        guard old[keyPath: path] != new[keyPath: path] else { return }
        needsRestart.append(name)
        new[keyPath: path] = old[keyPath: path]
    }
}
