/// The topics of an IoT Hub that a device hears.
enum AzureTopic: Equatable {
    /// A direct method, and the number that its answer carries.
    case method(name: String, request: String)
    /// The answer to a request about the twin.
    case twinAnswer(status: Int, request: String)
    /// A change of the twin's desired properties.
    case desired(version: Int64?)
    /// A message from the cloud.
    case message

    init?(_ topic: UnsafeRawBufferPointer, device: String) {
        let text = String(decoding: topic, as: UTF8.self)
        if text.hasPrefix("devices/\(device)/messages/devicebound/") {
            self = .message
            return
        }
        let levels = text.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.count >= 4, levels[0] == "$iothub" else { return nil }
        let properties = AzureTopic.properties(levels[levels.count - 1])
        switch (levels[1], levels[2]) {
        case ("methods", "POST") where levels.count == 5:
            guard let request = properties["$rid"] else { return nil }
            self = .method(name: String(levels[3]), request: request)
        case ("twin", "res") where levels.count == 5:
            guard let status = Int(levels[3]), let request = properties["$rid"] else { return nil }
            self = .twinAnswer(status: status, request: request)
        case ("twin", "PATCH") where levels.count == 6 && levels[3] == "properties" && levels[4] == "desired":
            self = .desired(version: properties["$version"].flatMap { Int64($0) })
        default:
            return nil
        }
    }

    /// `?$rid=1&$version=2`
    private static func properties(_ level: Substring) -> [String: String] {
        guard level.first == "?" else { return [:] }
        var properties: [String: String] = [:]
        for pair in level.dropFirst().split(separator: "&").prefix(16) {
            guard let equals = pair.firstIndex(of: "=") else { continue }
            properties[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
        }
        return properties
    }
}
