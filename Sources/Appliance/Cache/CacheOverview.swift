import Bridge
import Core
import Payload
import Store

/// What waits in the cache, route by route.
struct CacheOverview {
    struct Route {
        var name: String
        var lanes: [LaneStatus]

        var messages: Int64 { lanes.reduce(0) { $0 + $1.messages } }
        var bytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }
        var oldest: Timestamp? { lanes.compactMap(\.oldestPublishedAt).min() }
    }

    let status: CacheStatus
    /// Of a box that runs.
    let figures: CacheFigures?
    let now: Timestamp
    let routes: [Route]

    init(_ status: CacheStatus, figures: CacheFigures?, now: Timestamp) {
        self.status = status
        self.figures = figures
        self.now = now
        var routes: [Route] = []
        for lane in CacheSelection().lanes(status.lanes) {
            let name = RoutePolicy.route(ofLane: lane.lane)
            if routes.last?.name == name {
                routes[routes.count - 1].lanes.append(lane)
            } else {
                routes.append(Route(name: name, lanes: [lane]))
            }
        }
        self.routes = routes
    }

    private var messages: Int64 { routes.reduce(0) { $0 + $1.messages } }

    // MARK: For people

    var text: String {
        var lines: [String] = []
        if let figures {
            lines.append("cache    \(figures.text)")
            if let rate = figures.rateText { lines.append("in       \(rate)") }
        } else {
            lines.append("cache    \(Quantity.bytes(status.bytes)) in \(messages) messages")
        }
        lines.append("file     \(Quantity.bytes(status.fileBytes)), \(Quantity.bytes(status.freeBytes)) of it to be used again")
        if status.damagedBlocks > 0 {
            lines.append(
                "damaged  \(status.damagedBlocks) blocks with \(status.damagedMessages) messages since the file was made; "
                    + "the newest are kept: martlet cache export --damaged")
        }
        lines.append("")
        // Only where a route may not fill the whole, and the box that knows runs.
        let hasLimits = figures.map { !$0.routeFills.isEmpty } ?? false
        var rows = [["ROUTE", "MESSAGES", "BYTES"] + (hasLimits ? ["OF", "FULL IN"] : []) + ["OLDEST", "LANES"]]
        for route in routes {
            let fill = fill(of: route)
            let limit = hasLimits ? [fill?.text ?? "–", fill.map { Quantity.seconds($0.secondsUntilFull) } ?? "–"] : []
            rows.append(
                [route.name, "\(route.messages)", Quantity.bytes(route.bytes)] + limit
                    + [route.oldest.map(age) ?? "–", "\(route.lanes.count)"])
        }
        if routes.isEmpty { rows.append(["nothing waits"]) }
        var widths = [Int](repeating: 0, count: rows[0].count)
        for row in rows { for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) } }
        for row in rows {
            let cells = row.enumerated().map { $1 + String(repeating: " ", count: widths[$0] - $1.count) }
            lines.append(String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed()))
        }
        return lines.joined(separator: "\n")
    }

    private func fill(of route: Route) -> RouteFill? { figures?.routeFills.first { "\($0.route)" == route.name } }

    private func age(_ time: Timestamp) -> String {
        "\(ISOTime.text(time)), \(Quantity.seconds(Double(max(0, now.milliseconds - time.milliseconds)) / 1000)) ago"
    }

    // MARK: For machines

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("time")
        writer.integer(now.milliseconds)
        writer.member("messages", messages)
        writer.member("bytes", status.bytes)
        writer.member("fileBytes", status.fileBytes)
        writer.member("fileFreeBytes", status.freeBytes)
        writer.member("damagedBlocks", status.damagedBlocks)
        writer.member("damagedMessages", status.damagedMessages)
        figures?.write(to: &writer)
        writer.name("routes")
        writer.beginArray()
        for route in routes {
            writer.beginObject()
            writer.name("route")
            writer.string(route.name)
            writer.member("messages", route.messages)
            writer.member("bytes", route.bytes)
            if let oldest = route.oldest { writer.member("oldest", oldest.milliseconds) }
            if let fill = fill(of: route) {
                writer.member("usedBytes", fill.usedBytes)
                writer.member("limitBytes", fill.limitBytes)
                writer.member("secondsUntilFull", seconds: fill.secondsUntilFull)
            }
            writer.name("lanes")
            writer.beginArray()
            for lane in route.lanes {
                writer.beginObject()
                writer.name("lane")
                writer.string(lane.lane)
                writer.member("messages", lane.messages)
                writer.member("bytes", lane.bytes)
                writer.member("blocks", lane.blocks)
                if let first = lane.firstSequence { writer.member("firstSequence", first) }
                writer.member("lastSequence", lane.lastSequence)
                if let oldest = lane.oldestPublishedAt { writer.member("oldest", oldest.milliseconds) }
                writer.endObject()
            }
            writer.endArray()
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }
}

extension JSONWriter {
    mutating func member(_ name: StaticString, _ value: Int64) {
        self.name(name)
        integer(value)
    }

    /// Whole seconds, none of them for what takes for ever: a rate that fades has times beyond any integer, and is for ever too.
    mutating func member(_ name: StaticString, seconds: Double) {
        guard seconds < 1e15 else { return }
        member(name, Int64(max(0, seconds.rounded(.up))))
    }
}
