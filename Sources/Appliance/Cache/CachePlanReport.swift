import Configuration
import Core
import Payload

/// The figures of a planned cache, for people and for machines.
public struct CachePlanReport: Sendable {
    let plan: CachePlan
    let routes: PlannedRoutes
    let size: CacheSize
    let disk: DiskSpace?
    let board: BoardProfile
    let outage: Duration
    let devices: Int
    let points: Int
    /// Points on change of which every poll was taken to give a record.
    private let pointsOnChange: Int
    let measurement: CacheMeasurement
    let commitInterval: Duration
    /// nil if the medium does not say.
    let wear: MediumWear?
    /// What the box does just now; nil if it does not run.
    var measured: CachePlan?

    /// Takes in the figures of a box that runs.
    public mutating func add(recordsPerSecond: Double, cachedBytesPerRecord: Double) {
        var now = plan
        now.load.recordsPerSecond = recordsPerSecond
        now.load.cachedBytesPerRecord = cachedBytesPerRecord
        measured = now
    }

    init(
        plan: CachePlan, routes: PlannedRoutes, size: CacheSize, disk: DiskSpace?, board: BoardProfile, outage: Duration, traffic: PlannedTraffic,
        measurement: CacheMeasurement, commitInterval: Duration
    ) {
        self.plan = plan
        self.routes = routes
        self.size = size
        self.disk = disk
        self.board = board
        self.outage = outage
        devices = traffic.devices
        points = traffic.points
        pointsOnChange = traffic.changing == 1 ? traffic.pointsOnChange : 0
        self.measurement = measurement
        self.commitInterval = commitInterval
        wear = board.storage.dataDevice.flatMap { MediumWear.of(device: $0) }
    }

    private var outageSeconds: Double { Double(outage.wholeMilliseconds) / 1000 }

    // MARK: For people

    /// A table of two columns.
    public var text: String {
        var rows: [(String, String)] = [
            ("board", board.name + (board.storage.medium.map { " (\($0))" } ?? "")),
            ("disk", disk.map { "\(Quantity.bytes($0.total)), \(Quantity.bytes($0.available)) free" } ?? "not known"),
            ("cache", "\(Quantity.bytes(size.bytes)): \(size.reason)"),
            ("points", "\(points) on \(devices) devices are forwarded"),
        ]
        if plan.load.recordsPerSecond > 0 {
            rows += [
                (
                    "records",
                    "\(Quantity.number(plan.load.recordsPerSecond)) a second, \(Quantity.number(measurement.recordsPerCommit)) in a commit"
                ),
                (
                    "a record",
                    "\(Quantity.number(plan.load.cachedBytesPerRecord)) B in the cache, "
                        + "\(Quantity.number(plan.load.sentBytesPerRecord)) B upstream"
                ),
                ("into the cache", "\(Quantity.bytes(plan.bytesPerDay)) a day"),
            ]
            rows += routes.routes.map { ("route \($0.name)", $0.text) }
            rows += [
                ("held", held),
                ("drain", drain),
                ("written", written),
                ("endurance", endurance),
            ]
            if let wear { rows.append(("wear", wear.text)) }
            if let assumed { rows.append(("assumed", assumed)) }
        } else {
            rows.append(("records", "none: no point on a bus is forwarded; say with --rate what clients publish"))
        }
        if let measured {
            let load = measured.load
            rows.append((
                "measured now",
                "\(Quantity.number(load.recordsPerSecond)) records a second, \(Quantity.number(load.cachedBytesPerRecord)) B each: "
                    + "\(Quantity.bytes(measured.bytesPerDay)) a day, held \(Quantity.seconds(secondsHeld(measured)))"
            ))
        }
        rows.append(("power cut", lossWindow))
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0 + String(repeating: " ", count: width - $0.count + 2) + $1 }.joined(separator: "\n")
    }

    /// The least of the routes.
    private func secondsHeld(_ plan: CachePlan) -> Double {
        routes.secondsHeld(cachedBytesPerSecond: plan.load.cachedBytesPerSecond) ?? plan.secondsHeld
    }

    private var held: String {
        guard let least = routes.least else { return Quantity.seconds(plan.secondsHeld) }
        var text = Quantity.seconds(least.secondsHeld)
        if least.isHeldForAge {
            let needed = plan.load.cachedBytesPerSecond * least.secondsHeld
            text += ", which is max-age; they take \(Quantity.bytes(needed))"
        }
        return text + (routes.routes.contains { $0.secondsHeld > least.secondsHeld + 1 && $0.secondsHeld.isFinite } ? ": as long as \(least.name)" : "")
    }

    /// What is not in the figures because only a box that runs would know it.
    private var assumed: String? {
        var parts: [String] = []
        if pointsOnChange > 0 {
            parts.append("every poll gives a record, also of the \(pointsOnChange) points that are published on change: say with --changing at which share they have changed")
        }
        let bridges = routes.bridgesWithForm
        if !bridges.isEmpty {
            parts.append(
                "bytes upstream are those of the plain posts in JSON: \(bridges.joined(separator: ", ")) "
                    + (bridges.count == 1 ? "writes" : "write") + " them in another form, whose batches and compression need less")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    private var drain: String {
        let after = "after an outage of \(Quantity.time(outage))"
        let uplink = "\(Quantity.number((plan.uplinkBitsPerSecond ?? 0) / 1000)) kbit/s"
        let drain = routes.drain(afterOutage: outageSeconds, uplink: plan.uplinkBitsPerSecond)
        switch drain.time {
        case .unknown: return "\(after): say with --uplink how much the uplink takes"
        case .seconds(let seconds):
            let limit = drain.slowest.map { "with the limits of the back-fill of \($0)" } ?? "at \(uplink)"
            return "\(after): \(Quantity.seconds(seconds)) \(limit), beside what comes meanwhile"
        case .never(let needed):
            return "\(after): never; \(uplink) are less than what comes, \(Quantity.number(needed / 1000)) kbit/s"
        }
    }

    private var written: String {
        let ratio = plan.load.writtenBytesPerRecord / max(1, plan.load.cachedBytesPerRecord)
        return (measurement.diskRatio == nil ? "at least " : "") + "\(Quantity.bytes(plan.writtenPerDay)) a day to the disk, "
            + "\(Quantity.number(ratio)) bytes for each in the cache" + (measurement.diskRatio == nil ? "; it could only be tried in memory" : "")
    }

    private var endurance: String {
        guard let endurance = plan.endurance, let years = plan.yearsOfEndurance else {
            return "the board's profile declares none"
        }
        return "\(Quantity.decimalBytes(endurance)), with a write amplification of \(Quantity.number(plan.writeAmplification)): "
            + (years > 100 ? "more than 100 years" : "\(Quantity.number(years)) years")
    }

    private var lossWindow: String {
        "at most \(Quantity.time(commitInterval)) of polled values are lost; acknowledged publishes never"
    }

    // MARK: For machines

    /// One JSON object. A figure that is not known, or has no end, is left out.
    public var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("board")
        writer.string(board.name)
        if let disk {
            writer.member("diskBytes", Double(disk.total))
            writer.member("diskAvailableBytes", Double(disk.available))
        }
        writer.member("cacheBytes", Double(size.bytes))
        writer.name("cacheReason")
        writer.string(size.reason)
        writer.member("devices", Double(devices))
        writer.member("points", Double(points))
        writer.member("recordsPerSecond", plan.load.recordsPerSecond)
        writer.member("recordsPerCommit", measurement.recordsPerCommit)
        writer.member("cachedBytesPerRecord", plan.load.cachedBytesPerRecord)
        writer.member("sentBytesPerRecord", plan.load.sentBytesPerRecord)
        writer.member("writtenBytesPerRecord", plan.load.writtenBytesPerRecord)
        writer.member("cachedBytesPerDay", plan.bytesPerDay)
        writer.member("secondsHeld", secondsHeld(plan))
        writer.member("outageSeconds", outageSeconds)
        writer.member("uplinkBitsPerSecond", plan.uplinkBitsPerSecond)
        switch routes.drain(afterOutage: outageSeconds, uplink: plan.uplinkBitsPerSecond).time {
        case .unknown: break
        case .seconds(let seconds): writer.member("drainSeconds", seconds)
        case .never(let needed): writer.member("neededBitsPerSecond", needed)
        }
        writer.member("writtenBytesPerDay", plan.writtenPerDay)
        writer.member("enduranceBytes", plan.endurance)
        writer.member("writeAmplification", plan.writeAmplification)
        writer.member("enduranceYears", plan.yearsOfEndurance)
        writer.member("wearPercent", (wear?.percent.upperBound).map(Double.init))
        writer.member("lossWindowSeconds", Double(commitInterval.wholeMilliseconds) / 1000)
        if let measured {
            writer.name("measured")
            writer.beginObject()
            writer.member("recordsPerSecond", measured.load.recordsPerSecond)
            writer.member("cachedBytesPerRecord", measured.load.cachedBytesPerRecord)
            writer.member("cachedBytesPerDay", measured.bytesPerDay)
            writer.member("secondsHeld", secondsHeld(measured))
            writer.endObject()
        }
        writer.name("routes")
        writer.beginArray()
        for route in routes.routes { route.write(to: &writer) }
        writer.endArray()
        if let assumed {
            writer.name("assumed")
            writer.string(assumed)
        }
        writer.endObject()
        return writer.finish()
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: StaticString, _ value: Double?) {
        guard let value, value.isFinite else { return }
        self.name(name)
        if value == value.rounded(), value.magnitude < 1e15 {
            integer(Int64(value))
        } else {
            real(value)
        }
    }
}
