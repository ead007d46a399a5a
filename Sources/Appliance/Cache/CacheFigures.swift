import Core
import Payload

/// The figures of a cache that is in use.
struct CacheFigures: Sendable {
    var size: CacheSize
    /// Bytes of all blocks.
    var usedBytes: Int64
    /// Messages that wait.
    var messages: Int64
    /// At the present rates, with what records have taken so far.
    var plan: CachePlan
    /// Of the routes that may not fill the whole cache.
    var routeFills: [RouteFill] = []

    /// Of what the cache may hold.
    var fraction: Double { size.bytes > 0 ? Double(usedBytes) / Double(size.bytes) : 0 }

    /// Seconds until it is full if nothing leaves it from now on; infinite if nothing comes.
    var secondsUntilFull: Double {
        let rate = plan.load.cachedBytesPerSecond
        return rate > 0 ? Double(max(0, size.bytes - usedBytes)) / rate : .infinity
    }

    var text: String {
        "\(Quantity.bytes(usedBytes)) of \(Quantity.bytes(size.bytes)) (\(Int((fraction * 100).rounded())) %), \(messages) messages; "
            + "its size is \(size.reason)"
    }

    /// nil while nothing has come.
    var rateText: String? {
        guard plan.load.recordsPerSecond > 0 else { return nil }
        var text = "\(Quantity.number(plan.load.recordsPerSecond)) messages a second"
        if plan.load.cachedBytesPerRecord > 0 {
            text += ", \(Quantity.number(plan.load.cachedBytesPerRecord)) B each: \(Quantity.bytes(plan.bytesPerDay)) a day, "
                + "\(Quantity.seconds(plan.secondsHeld)) in all, \(Quantity.seconds(secondsUntilFull)) until it is full"
        }
        return text + written
    }

    private var written: String {
        guard plan.writtenPerDay > 0 else { return "" }
        let years = plan.yearsOfEndurance.map { $0 > 100 ? ", for more than 100 years" : ", for \(Quantity.number($0)) years" } ?? ""
        return "; \(Quantity.bytes(plan.writtenPerDay)) a day written to the disk\(years)"
    }

    /// As members of an object.
    func write(to writer: inout JSONWriter) {
        writer.member("limitBytes", size.bytes)
        writer.name("limitReason")
        writer.string(size.reason)
        let rates: [(StaticString, Double?)] = [
            ("recordsPerSecond", plan.load.recordsPerSecond), ("cachedBytesPerRecord", plan.load.cachedBytesPerRecord),
            ("cachedBytesPerDay", plan.bytesPerDay), ("secondsHeld", plan.secondsHeld), ("secondsUntilFull", secondsUntilFull),
            ("writtenBytesPerDay", plan.writtenPerDay), ("enduranceYears", plan.yearsOfEndurance),
        ]
        for (name, value) in rates {
            guard let value, value.isFinite else { continue }
            writer.name(name)
            writer.real(value)
        }
    }
}
