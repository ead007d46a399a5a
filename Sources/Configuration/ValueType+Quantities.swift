internal import Core

// Durations ("500ms", "1s", "5m", "2h", "7d") and sizes ("64KiB", "1MB"): a whole number and a unit.

private struct Unit {
    let name: String
    let factor: Int64
}

/// In milliseconds, longest first.
private let durationUnits = [
    Unit(name: "d", factor: 86_400_000), Unit(name: "h", factor: 3_600_000), Unit(name: "m", factor: 60_000),
    Unit(name: "s", factor: 1000), Unit(name: "ms", factor: 1),
]

private let durationExamples = "such as \"500ms\", \"1s\", \"5m\", \"2h\" or \"7d\""

/// In bytes, largest first.
private let sizeUnits = [
    Unit(name: "TiB", factor: 1 << 40), Unit(name: "GiB", factor: 1 << 30), Unit(name: "MiB", factor: 1 << 20),
    Unit(name: "KiB", factor: 1 << 10), Unit(name: "TB", factor: 1_000_000_000_000),
    Unit(name: "GB", factor: 1_000_000_000), Unit(name: "MB", factor: 1_000_000), Unit(name: "KB", factor: 1000),
    Unit(name: "B", factor: 1),
]

/// nil unless `text` is digits and one of the units, and the product fits.
private func parse(_ text: String, _ units: [Unit]) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits) else { return nil }
    let rest = text.dropFirst(digits.count).drop { $0 == " " }
    guard let unit = units.first(where: { $0.name == rest }) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
    return overflow ? nil : product
}

/// In the largest unit that needs no fraction.
private func format(_ amount: Int64, _ units: [Unit], zero: String) -> String {
    guard amount != 0, let unit = units.first(where: { amount.isMultiple(of: $0.factor) }) else { return zero }
    return "\(amount / unit.factor)\(unit.name)"
}

package extension ValueType where Value == Duration {
    /// Whole milliseconds.
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        let allowed = "\(range.lowerBound.text)…\(range.upperBound.text)"
        return Self(name: "duration", allowed: allowed) { value throws(Refusal) in
            guard case .string(let text) = value.content else {
                throw .kind("a duration \(durationExamples)", value)
            }
            guard let milliseconds = parse(text, durationUnits) else {
                throw Refusal("\(text.quotedForMessage) is not a duration \(durationExamples)")
            }
            let result = Duration.milliseconds(milliseconds)
            guard range.contains(result) else { throw Refusal("\(text.quotedForMessage) is out of range (\(allowed))") }
            return result
        } write: {
            "\"\($0.text)\""
        }
    }
}

package extension Duration {
    /// As the configuration writes it.
    fileprivate var text: String { format(wholeMilliseconds, durationUnits, zero: "0s") }

    static func minutes(_ count: Int) -> Duration { .seconds(60 * count) }
    static func hours(_ count: Int) -> Duration { .minutes(60 * count) }
    static func days(_ count: Int) -> Duration { .hours(24 * count) }
}

package extension ValueType where Value == Int {
    /// A number of bytes.
    static func size(_ range: ClosedRange<Int>) -> Self {
        let allowed = "\(sizeText(range.lowerBound))…\(sizeText(range.upperBound))"
        return Self(name: "size", allowed: allowed) { value throws(Refusal) in
            guard case .string(let text) = value.content else {
                throw .kind("a size such as \"64KiB\", \"1MiB\" or \"1GB\"", value)
            }
            guard let bytes = parse(text, sizeUnits), let result = Int(exactly: bytes) else {
                throw Refusal("\(text.quotedForMessage) is not a size such as \"64KiB\", \"1MiB\" or \"1GB\"")
            }
            guard range.contains(result) else { throw Refusal("\(text.quotedForMessage) is out of range (\(allowed))") }
            return result
        } write: {
            "\"\(sizeText($0))\""
        }
    }
}

private func sizeText(_ bytes: Int) -> String { format(Int64(bytes), sizeUnits, zero: "0B") }

package extension ValueType where Value == MartletConfiguration.Cache.Size {
    /// `"auto"`, a number of bytes or a time.
    static func cacheSize(_ bytes: ClosedRange<Int>, _ time: ClosedRange<Duration>) -> Self {
        let size = ValueType<Int>.size(bytes)
        let duration = ValueType<Duration>.duration(time)
        let examples = "\"auto\", a size such as \"1GiB\" or a time such as \"30d\""
        return Self(name: "size or duration", allowed: "\"auto\", \(size.allowed), \(duration.allowed)") { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind(examples, value) }
            if text == "auto" { return .auto }
            if parse(text, durationUnits) != nil { return .duration(try duration.read(value)) }
            guard parse(text, sizeUnits) != nil else { throw Refusal("\(text.quotedForMessage) is not \(examples)") }
            return .bytes(try size.read(value))
        } write: {
            switch $0 {
            case .auto: "\"auto\""
            case .bytes(let bytes): size.write(bytes)
            case .duration(let time): duration.write(time)
            }
        }
    }
}

package extension Int {
    static func kibibytes(_ count: Int) -> Int { count << 10 }
    static func mebibytes(_ count: Int) -> Int { count << 20 }
    static func gibibytes(_ count: Int) -> Int { count << 30 }
}
