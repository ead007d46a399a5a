import Bridge
import Core
import Payload

/// The state of a bridge with its rates.
struct BridgeReport: Sendable {
    var status: BridgeStatus
    /// Messages a second that come to wait, and that arrive upstream, over some seconds.
    var inPerSecond: Double
    var outPerSecond: Double
    /// Of its routes that may not fill the whole cache.
    var fills: [RouteFill] = []

    var name: String { status.name }

    /// Seconds until all has arrived at the present rates; nil while it is not connected, or no less waits as time goes by.
    var drainSeconds: Double? {
        guard status.state.isConnected else { return nil }
        guard status.messages > 0 else { return 0 }
        return outPerSecond > inPerSecond ? Double(status.messages) / (outPerSecond - inPerSecond) : nil
    }

    private var stateName: String {
        switch status.state {
        case .idle: "stopped"
        case .connecting: "connecting"
        case .connected: "connected"
        case .waiting: "waiting"
        }
    }

    /// A JSON object, for a topic. What does not apply is left out.
    func json(now: MonotonicTime, wall: Timestamp) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("state")
        writer.string(stateName)
        if case .connected(let since) = status.state {
            writer.member("connectedSince", wall.milliseconds - (now - since).wholeMilliseconds)
        }
        if let error = status.lastError {
            writer.name("error")
            writer.string(error)
            if let at = status.lastErrorAt { writer.member("errorAt", wall.milliseconds - (now - at).wholeMilliseconds) }
        }
        writer.member("messages", status.messages)
        writer.member("bytes", status.bytes)
        if let oldest = status.oldestPublishedAt {
            writer.member("oldest", oldest.milliseconds)
            writer.member("oldestAgeSeconds", max(0, wall.milliseconds - oldest.milliseconds) / 1000)
        }
        writer.name("inPerSecond")
        writer.real(BridgeReport.rounded(inPerSecond))
        writer.name("outPerSecond")
        writer.real(BridgeReport.rounded(outPerSecond))
        if let drainSeconds { writer.member("drainSeconds", seconds: drainSeconds) }
        writer.name("routes")
        writer.beginArray()
        for route in status.routes {
            writer.beginObject()
            writer.member("priority", Int64(route.priority))
            writer.member("messages", route.messages)
            writer.member("bytes", route.bytes)
            if let oldest = route.oldestPublishedAt { writer.member("oldest", oldest.milliseconds) }
            writer.name("backfill")
            writer.bool(route.isBackfilling)
            if let fill = fills.first(where: { $0.route.priority == route.priority }) {
                writer.member("limitBytes", fill.limitBytes)
                writer.member("percent", Int64((fill.fraction * 100).rounded()))
                writer.member("secondsUntilFull", seconds: fill.secondsUntilFull)
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
