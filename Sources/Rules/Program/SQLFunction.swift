/// The functions of a rule, with the arguments that they take.
///
/// `coalesce` and `iif` are compiled to jumps, and `exists`, `quality`, `reason` and `json` take a path; the rest is called.
enum SQLFunction: UInt8, CaseIterable {
    // Numbers
    case abs, sign, round, floor, ceil, sqrt, power, exp, ln, log10, mod, div, bit, bits
    // Choice
    case least, greatest, coalesce, nullif, iif
    // Texts
    case lower, upper, length, substr, trim, ltrim, rtrim, replace, concat
    case startsWith, endsWith, contains
    // The message
    case topic, payload, now, timestamp
    case exists, quality, reason, json
    case typeOf

    /// All names; the first one is what messages call the function.
    var names: [String] {
        switch self {
        case .abs: ["abs"]
        case .sign: ["sign"]
        case .round: ["round"]
        case .floor: ["floor"]
        case .ceil: ["ceil", "ceiling"]
        case .sqrt: ["sqrt"]
        case .power: ["power", "pow"]
        case .exp: ["exp"]
        case .ln: ["ln"]
        case .log10: ["log10"]
        case .mod: ["mod"]
        case .div: ["div"]
        case .bit: ["bit"]
        case .bits: ["bits"]
        case .least: ["least", "min"]
        case .greatest: ["greatest", "max"]
        case .coalesce: ["coalesce", "ifnull"]
        case .nullif: ["nullif"]
        case .iif: ["iif"]
        case .lower: ["lower"]
        case .upper: ["upper"]
        case .length: ["length"]
        case .substr: ["substr", "substring"]
        case .trim: ["trim"]
        case .ltrim: ["ltrim"]
        case .rtrim: ["rtrim"]
        case .replace: ["replace"]
        case .concat: ["concat"]
        case .startsWith: ["starts_with"]
        case .endsWith: ["ends_with"]
        case .contains: ["contains"]
        case .topic: ["topic"]
        case .payload: ["payload"]
        case .now: ["now"]
        case .timestamp: ["timestamp"]
        case .exists: ["exists"]
        case .quality: ["quality"]
        case .reason: ["reason"]
        case .json: ["json"]
        case .typeOf: ["typeof"]
        }
    }

    /// How many arguments it takes.
    var arguments: ClosedRange<Int> {
        switch self {
        case .now, .payload: 0...0
        case .topic, .timestamp: 0...1
        case .abs, .sign, .floor, .ceil, .sqrt, .exp, .ln, .log10, .lower, .upper, .length, .trim, .ltrim, .rtrim,
            .exists, .quality, .reason, .json, .typeOf:
            1...1
        case .round: 1...2
        case .power, .mod, .div, .bit, .nullif, .startsWith, .endsWith, .contains: 2...2
        case .substr: 2...3
        case .replace, .iif, .bits: 3...3
        case .least, .greatest, .coalesce, .concat: 1...RuleLimits.maxOperands
        }
    }

    static func named(_ name: String) -> SQLFunction? {
        let name = name.lowercased()
        return allCases.first { $0.names.contains(name) }
    }

    /// The known name that is nearest to a wrong one, unless all are far.
    static func nearestName(to name: String) -> String? {
        let name = Array(name.lowercased().utf8.prefix(32))
        var best: (distance: Int, name: String)?
        for known in allCases.flatMap(\.names) {
            let distance = editDistance(name, Array(known.utf8))
            if distance <= max(1, known.utf8.count / 3), distance < best?.distance ?? .max { best = (distance, known) }
        }
        return best?.name
    }

    /// Letters to insert, delete or replace (Levenshtein).
    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var previous = Array(0...b.count)
        for (i, letter) in a.enumerated() {
            var row = [i + 1]
            for (j, other) in b.enumerated() {
                row.append(min(previous[j] + (letter == other ? 0 : 1), previous[j + 1] + 1, row[j] + 1))
            }
            previous = row
        }
        return previous[b.count]
    }
}
