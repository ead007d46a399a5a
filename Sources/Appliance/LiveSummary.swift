import Bridge
import Broker
import Core
import FieldBus
import Glibc

/// One screen in the terminal that says how the appliance is: points with value, quality and age, rates, buses, bridges.
struct LiveSummary {
    private var previous: StatusSnapshot?

    /// Rows and columns of the terminal on standard output; nil if it is none.
    static var terminalSize: (rows: Int, columns: Int)? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else { return (24, 80) }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    /// Takes the terminal over: another screen, no cursor.
    static func open() { write("\u{1B}[?1049h\u{1B}[?25l") }

    static func close() { write("\u{1B}[?25h\u{1B}[?1049l") }

    /// Draws the state; `log` are the newest log lines.
    mutating func draw(_ now: StatusSnapshot, log: [String], rows: Int, columns: Int) {
        var screen = "\u{1B}[H"
        for line in lines(now, log: log, rows: rows, columns: columns) { screen += line + "\u{1B}[K\n" }
        LiveSummary.write(screen + "\u{1B}[J")
    }

    /// What the screen shows, without commands to the terminal: at most `rows - 1` lines, the last row stays empty. Rates are
    /// those since the last call.
    mutating func lines(_ now: StatusSnapshot, log: [String], rows: Int, columns: Int) -> [String] {
        var lines = LiveSummary.header(now, since: previous)
        lines.append("")
        let footer = LiveSummary.footer(now, log: log)
        // Beside the points the table has its head, and a line for those that there is no room for.
        let room = max(1, rows - 1 - lines.count - footer.count - 2)
        lines += LiveSummary.table(now, room: room)
        lines += footer
        previous = now
        return lines.prefix(max(0, rows - 1)).map { LiveSummary.cut(LiveSummary.printable($0), columns) }
    }

    /// Texts of devices and peers cannot command the terminal.
    private static func printable(_ line: String) -> String {
        guard line.unicodeScalars.contains(where: \.isControl) else { return line }
        return String(String.UnicodeScalarView(line.unicodeScalars.map { $0.isControl ? "?" : $0 }))
    }

    private static func header(_ now: StatusSnapshot, since then: StatusSnapshot?) -> [String] {
        let seconds = then.map { Double((now.uptime - $0.uptime).wholeMilliseconds) / 1000 } ?? 0
        func rate(_ value: UInt64, _ old: UInt64?) -> String {
            guard let old, seconds > 0 else { return "–" }
            return decimal(Double(value &- old) / seconds)
        }
        return [
            "Martlet \(now.name)   up \(age(now.uptime))   listening on \(now.listeners.joined(separator: ", "))",
            "clients \(now.clients)   messages/s in \(rate(now.broker.received, then?.broker.received))"
                + " out \(rate(now.broker.delivered, then?.broker.delivered))   points/s \(rate(now.samples, then?.samples))"
                + "   dropped \(now.broker.dropped)",
        ]
    }

    private static func table(_ now: StatusSnapshot, room: Int) -> [String] {
        var lines = [row("DEVICE", "POINT", "VALUE", "QUALITY", "AGE")]
        for point in now.points.prefix(room) {
            let unit = point.unit.map { " \($0)" } ?? ""
            let value = point.sample?.value.map { text($0) + unit } ?? "–"
            let quality = point.sample.map { text($0.quality) } ?? QualityReason.notYetRead.rawValue
            let seen = point.sample.map { age(.milliseconds(max(0, now.time.milliseconds - $0.time.milliseconds))) } ?? "–"
            lines.append(row(point.device.description, point.identifier, value, quality, seen))
        }
        if now.points.count > room { lines.append("… and \(now.points.count - room) more points") }
        return lines
    }

    private static func footer(_ now: StatusSnapshot, log: [String]) -> [String] {
        var lines = [""]
        for bus in now.buses {
            lines.append(
                "bus \(bus.name) \(bus.protocolName) \(bus.isOpen ? "open" : "closed")  requests \(bus.requests)"
                    + "  errors \(bus.errors)  exceptions \(bus.exceptions)  busy \(decimal(bus.busyShare * 100)) %")
        }
        for rule in now.rules { lines.append("rule \(rule.name)   matched \(rule.matched)   failed \(rule.failed)") }
        for report in now.bridges {
            let bridge = report.status
            let oldest = bridge.oldestPublishedAt.map { age(.milliseconds(max(0, now.time.milliseconds - $0.milliseconds))) }
            lines.append(
                "bridge \(bridge.name)   \(text(bridge.state, at: now.monotonic))   cache depth \(bridge.messages)"
                    + (oldest.map { "   oldest \($0)" } ?? "") + drain(report) + error(bridge, at: now.monotonic))
            lines += report.fills.map { text($0, bridge, at: now.time) }
        }
        if now.bridges.isEmpty { lines.append("bridge none   cache depth 0") }
        if !now.bridges.isEmpty { lines.append(text(now.cache)) }
        return lines + log.suffix(3)
    }

    private static func error(_ bridge: BridgeStatus, at now: MonotonicTime) -> String {
        guard let error = bridge.lastError else { return "" }
        guard bridge.state.isConnected, let at = bridge.lastErrorAt else { return "   \(error)" }
        return "   \(age(now - at)) ago: \(error)"
    }

    private static func drain(_ report: BridgeReport) -> String {
        guard report.status.messages > 0, let seconds = report.drainSeconds else { return "" }
        return "   empty in \(Quantity.seconds(seconds))"
    }

    /// A route that may not fill the whole cache.
    private static func text(_ fill: RouteFill, _ bridge: BridgeStatus, at now: Timestamp) -> String {
        var text = "route \(fill.route)   \(Quantity.bytes(fill.usedBytes)) of \(fill.text)"
        if let route = bridge.routes.first(where: { $0.priority == fill.route.priority }) {
            text += "   cache depth \(route.messages)"
            if let oldest = route.oldestPublishedAt { text += "   oldest \(age(.milliseconds(max(0, now.milliseconds - oldest.milliseconds))))" }
        }
        guard fill.bytesPerSecond > 0 else { return text }
        return text + "   holds \(Quantity.seconds(fill.secondsHeld))   full in \(Quantity.seconds(fill.secondsUntilFull))"
    }

    private static func text(_ cache: CacheFigures) -> String {
        let percent = Int((cache.fraction * 100).rounded())
        var text = "cache \(Quantity.bytes(cache.usedBytes)) of \(Quantity.bytes(cache.size.bytes)) (\(percent) %)"
        if cache.plan.load.cachedBytesPerSecond > 0 {
            text += "   \(Quantity.number(cache.plan.load.recordsPerSecond)) messages/s   holds \(Quantity.seconds(cache.plan.secondsHeld))"
            text += "   full in \(Quantity.seconds(cache.secondsUntilFull))"
        }
        return text
    }

    private static func text(_ state: Reconnection.State, at now: MonotonicTime) -> String {
        switch state {
        case .idle: "stopped"
        case .connecting: "connecting"
        case .connected(let since): "connected for \(age(now - since))"
        case .waiting(let until): "away, next try in \(age(max(.zero, until - now)))"
        }
    }

    private static func row(
        _ device: String, _ point: String, _ value: String, _ quality: String, _ age: String
    ) -> String {
        // With an age of up to eight characters this fits a terminal of 80.
        pad(device, 18) + pad(point, 16) + pad(value, 18) + pad(quality, 20) + age
    }

    private static func text(_ quality: Quality) -> String {
        switch quality {
        case .good: "good"
        case .uncertain(let reason): "uncertain: \(reason.rawValue)"
        case .bad(let reason): "bad: \(reason.rawValue)"
        }
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "\(value)"
        case .uint(let value): "\(value)"
        case .real(let value): decimal(Double(value))
        case .lreal(let value): decimal(value)
        case .string(let value): "\"\(value)\""
        }
    }

    private static func decimal(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
        let scaled = (value * 100).rounded() / 100
        return scaled == scaled.rounded() ? "\(Int64(scaled))" : "\(scaled)"
    }

    private static func age(_ duration: Duration) -> String {
        let seconds = duration.wholeMilliseconds / 1000
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) d"
        }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        let cut = cut(text, width - 1)
        return cut + String(repeating: " ", count: max(1, width - cut.count))
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        text.count <= width ? text : String(text.prefix(max(0, width - 1))) + "…"
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
