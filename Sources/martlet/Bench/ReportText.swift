// The few forms of text that the report needs, without Foundation.

/// A number with a fixed number of decimals.
enum Decimals {
    /// "null" for nil and for what is not a number.
    ///
    /// - Parameter digits: 0…9.
    static func text(_ value: Double?, digits: Int) -> String {
        guard let value, value.isFinite else { return "null" }
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        guard let scaled = Int64(exactly: (value.magnitude * Double(scale)).rounded()) else { return "\(value)" }
        let sign = value < 0 && scaled != 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}

/// A JSON object put together field by field. Names and texts are this program's own and need no escapes.
struct JSONLine {
    private var fields: [String] = []

    var text: String { "{\(fields.joined(separator: ","))}" }

    mutating func add(_ name: String, text: String) { fields.append("\"\(name)\":\"\(text)\"") }
    mutating func add(_ name: String, _ value: Int?) { fields.append("\"\(name)\":\(value.map(String.init) ?? "null")") }
    mutating func add(_ name: String, _ value: JSONLine) { fields.append("\"\(name)\":\(value.text)") }

    mutating func add(_ name: String, _ value: Double?, digits: Int) {
        fields.append("\"\(name)\":\(Decimals.text(value, digits: digits))")
    }
}

/// Two columns.
enum TextTable {
    static func text(_ rows: [(String, String)]) -> String {
        let width = rows.reduce(0) { max($0, $1.0.count) }
        return rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }.joined(separator: "\n")
    }
}
