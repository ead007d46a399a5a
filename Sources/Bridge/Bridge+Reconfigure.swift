import Core
import MQTTClient

extension Bridge {
    /// Goes on under another configuration of the same name, or begins again after ``stop()``: the connection is made anew,
    /// and what has not arrived upstream stays. No local message falls between the old filters and the new ones.
    public func reconfigure(_ configuration: BridgeConfiguration) {
        precondition(configuration.name == self.configuration.name, "the name is the bridge's place in the cache")
        stop()
        self.configuration = configuration
        reconnection = Reconnection(
            seed: seed, shortestWait: configuration.reconnectInterval, longestWait: configuration.maximumBackOff)
        upstream = UpstreamState(configuration)
        // What was refused may have another name now.
        refusals = RefusalSearch()
        form = makeForm()
        makeRoutes()
        isSubscribed = false
        start()
    }

    /// Whether ``stop()`` was called last.
    public var hasStopped: Bool { isStopped }
}
