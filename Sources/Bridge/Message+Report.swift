import Core

extension Message {
    /// Whether it is what the box itself reports of losses (``BridgeEnvironment/reportTopic``).
    func isReport(at topic: String?) -> Bool {
        guard let topic else { return false }
        return withTopic { $0.elementsEqual(topic.utf8) }
    }
}
