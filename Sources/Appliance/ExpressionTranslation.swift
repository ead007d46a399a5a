import Configuration
import Core
import Rules

// The expressions of calculated points, compiled and compared with the points that there are.

extension MartletConfiguration {
    /// The calculated points, by product.
    ///
    /// - Parameters:
    ///   - errors: takes what is wrong with their expressions.
    ///   - warnings: takes keys of points that only an expression would make use of.
    func compileExpressions(
        _ errors: inout [ConfigurationError], _ warnings: inout [ConfigurationWarning]
    ) -> [String: [CalculatedPoints.Formula]] {
        var formulas: [String: [CalculatedPoints.Formula]] = [:]
        for product in products {
            let count = errors.count
            let compiled = product.compileExpressions(&errors)
            if !compiled.isEmpty { formulas[product.key] = compiled }
            if errors.count == count { product.warnOfIdleKeys(compiled, &warnings) }
        }
        return formulas
    }
}

extension MartletConfiguration.Product {
    fileprivate func compileExpressions(_ errors: inout [ConfigurationError]) -> [CalculatedPoints.Formula] {
        var compiled: [CalculatedPoints.Formula] = []
        for (index, point) in points.enumerated() where point.source.isSound("expression", "type", "identifier") {
            guard let expression = point.expression else { continue }
            // One may name those before it. What is wrong with their expressions has been told.
            let known = points.enumerated().filter { $1.expression == nil || $0 < index }.map(\.element.identifier)
            let later = points[index...].filter { $0.expression != nil }.map(\.identifier)
            do throws(RuleError) {
                let formula = try CalculatedPoints.Formula(point, expression: expression)
                if let problem = formula.problem(in: expression, known: known, later: later) {
                    errors.append(ConfigurationError(point.source["expression"], problem))
                }
                compiled.append(formula)
            } catch {
                var error = error.placed(in: expression, at: point.source["expression"])
                if let advice = known.advice(on: expression) { error.message += "; \(advice)" }
                errors.append(error)
            }
        }
        return compiled
    }

    /// What a device posts by itself goes on as it is: its limits and texts are for what is calculated of it.
    fileprivate func warnOfIdleKeys(_ formulas: [CalculatedPoints.Formula], _ warnings: inout [ConfigurationWarning]) {
        let used = Set(formulas.flatMap(\.inputs))
        for point in points where !point.isOnBus && point.expression == nil && !used.contains(point.identifier) {
            for key in ["minimum", "maximum", "enumeration"] where point.source.isSet(key) {
                warnings.append(
                    ConfigurationWarning(
                        point.source[key],
                        "\(key) has no effect: what a device posts by itself goes on as it is, and no expression of the product names "
                            + "\(point.identifier.quotedForMessage)"))
            }
        }
    }
}

extension CalculatedPoints.Formula {
    /// What is wrong with the names in the expression; nil when nothing is.
    ///
    /// - Parameters:
    ///   - known: what it may name.
    ///   - later: the point itself and the calculated ones behind it.
    fileprivate func problem(in expression: String, known: [String], later: [String]) -> String? {
        if program.members.contains(nil) { return "expression must name points, not the whole payload" }
        if inputs.isEmpty { return "expression names no point of the product" + (known.advice(on: expression).map { "; \($0)" } ?? "") }
        for input in inputs where !known.contains(input) {
            if input == identifier { return "expression names \"\(input)\", which is this point itself" }
            if later.contains(input) { return "expression names \"\(input)\", which stands after this one; move it before" }
            let advice =
                (known + later).advice(on: expression).map { "; \($0)" }
                ?? nearest(to: input, among: (known + later).filter { $0 != identifier }).map { "; did you mean \"\($0)\"?" } ?? ""
            return "expression names \"\(input)\", and the product has no such point\(advice)"
        }
        return nil
    }
}

extension [String] {
    /// How to write the first of these names that stands in an expression as it cannot stand there; nil if none does.
    fileprivate func advice(on expression: String) -> String? {
        let name = filter { !$0.isPlainName }.sorted { $0.utf8.count > $1.utf8.count }.first { name in
            expression.contains(name) && !expression.contains("`\(name)`")
        }
        return name.map { "a name with other characters than letters, digits and _ stands in backticks: `\($0)`" }
    }
}

extension String {
    /// Whether an expression can have the name as it is.
    fileprivate var isPlainName: Bool {
        guard let first = utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= first) else { return false }
        return !utf8.contains(UInt8(ascii: "-")) && !utf8.contains(UInt8(ascii: "."))
    }
}
