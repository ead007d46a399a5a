/// Writes metrics in the OpenMetrics text format 1.0, which Prometheus reads.
///
///     var writer = OpenMetricsWriter()
///     writer.counter("martlet_mqtt_packets_received", help: "MQTT packets.", 17)
///     let text = writer.finish()
///
/// A family is written by one call, with all its samples; its name stands there once.
public struct OpenMetricsWriter {
    /// What the answer to a scrape has as Content-Type.
    public static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    /// One value of a family, told from the others by its labels.
    public struct Sample {
        public var labels: [(name: String, value: String)]
        public var value: Double

        public init(_ labels: [(name: String, value: String)] = [], _ value: Double) {
            self.labels = labels
            self.value = value
        }

        public init(_ labels: [(name: String, value: String)] = [], _ value: UInt64) { self.init(labels, Double(value)) }
        public init(_ labels: [(name: String, value: String)] = [], _ value: Int) { self.init(labels, Double(value)) }
    }

    private var text = ""

    public init() {}

    /// Something that only rises.
    ///
    /// - Parameters:
    ///   - name: without `_total`; ends with `_` and the unit if there is one.
    ///   - unit: `bytes`, `seconds`.
    public mutating func counter(_ name: String, unit: String? = nil, help: String, _ samples: [Sample]) {
        begin(name, "counter", unit, help)
        for sample in samples { write("\(name)_total", sample.labels, sample.value) }
    }

    public mutating func counter(_ name: String, unit: String? = nil, help: String, _ value: UInt64) {
        counter(name, unit: unit, help: help, [Sample([], value)])
    }

    /// Something that rises and falls.
    public mutating func gauge(_ name: String, unit: String? = nil, help: String, _ samples: [Sample]) {
        begin(name, "gauge", unit, help)
        for sample in samples { write(name, sample.labels, sample.value) }
    }

    public mutating func gauge(_ name: String, unit: String? = nil, help: String, _ value: Int) {
        gauge(name, unit: unit, help: help, [Sample([], value)])
    }

    /// What does not change while the program runs, as labels.
    public mutating func info(_ name: String, help: String, _ labels: [(name: String, value: String)]) {
        begin(name, "info", nil, help)
        write("\(name)_info", labels, 1)
    }

    /// How values are spread.
    ///
    /// - Parameters:
    ///   - bounds: upper bounds of the buckets, rising.
    ///   - counts: values in each bucket, and in one more for those above the last bound.
    public mutating func histogram(
        _ name: String, unit: String? = nil, help: String, bounds: [Double], counts: [UInt64], sum: Double
    ) {
        begin(name, "histogram", unit, help)
        var total: UInt64 = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            total &+= count
            write("\(name)_bucket", [("le", bound.isInfinite ? "+Inf" : "\(bound)")], Double(total))
        }
        write("\(name)_count", [], Double(total))
        write("\(name)_sum", [], sum)
    }

    /// The text with its end mark.
    public consuming func finish() -> [UInt8] {
        text += "# EOF\n"
        return Array(text.utf8)
    }

    private mutating func begin(_ name: String, _ type: String, _ unit: String?, _ help: String) {
        text += "# TYPE \(name) \(type)\n"
        if let unit { text += "# UNIT \(name) \(unit)\n" }
        text += "# HELP \(name) \(OpenMetricsWriter.escaped(help))\n"
    }

    private mutating func write(_ name: String, _ labels: [(name: String, value: String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            let written = labels.map { "\($0.name)=\"\(OpenMetricsWriter.escaped($0.value))\"" }
            text += "{\(written.joined(separator: ","))}"
        }
        text += " \(OpenMetricsWriter.number(value))\n"
    }

    /// Whole numbers without a point, as far as a `Double` is exact.
    private static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        if value == -.infinity { return "-Inf" }
        if value.isNaN { return "NaN" }
        if value.rounded() == value, abs(value) < 9e15 { return "\(Int64(value))" }
        return "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
