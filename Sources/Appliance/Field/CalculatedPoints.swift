import Configuration
import Core
import FieldBus
import Payload
import Rules

/// The calculated points of a device: expressions over the last values of its other points.
///
/// The values are laid before the rule engine as `{"voltage":230.1,"current":null}`, so that an expression is what a rule's
/// SELECT has. A point is calculated when a value comes that its expression names. Its quality is the worst of those
/// values' qualities, its time the newest of their times.
struct CalculatedPoints: ~Copyable {
    /// One calculated point, compiled.
    struct Formula: Sendable {
        let identifier: String
        let type: PointType
        let conversion: PointConversion
        let program: RuleProgram
        /// The points that the expression names.
        let inputs: [String]
    }

    private let formulas: [Formula]
    private var latest: [String: Sample] = [:]
    private var context = EvaluationContext()
    private var payload: [UInt8] = []
    private var output: [UInt8] = []

    init(_ formulas: [Formula]) {
        self.formulas = formulas
        for formula in formulas { for input in formula.inputs { latest[input] = CalculatedPoints.unread(input) } }
    }

    private static func unread(_ point: String) -> Sample {
        Sample(point: point, value: nil, quality: .bad(.notYetRead), time: Timestamp(milliseconds: 0))
    }

    /// Adds a sample for each formula that one of the samples concerns. A formula may name those before it.
    mutating func append(to samples: inout [Sample], wall: Timestamp) {
        var changed: Set<String> = []
        for sample in samples where latest[sample.point] != nil {
            latest[sample.point] = sample
            changed.insert(sample.point)
        }
        guard !changed.isEmpty else { return }
        for formula in formulas where formula.inputs.contains(where: changed.contains) {
            let sample = calculate(formula, wall: wall)
            if latest[formula.identifier] != nil {
                latest[formula.identifier] = sample
                changed.insert(formula.identifier)
            }
            samples.append(sample)
        }
    }

    private mutating func calculate(_ formula: Formula, wall: Timestamp) -> Sample {
        let inputs = formula.inputs.compactMap { latest[$0] }
        let time = inputs.map(\.time).max { $0.milliseconds < $1.milliseconds } ?? wall
        func sample(_ value: Value?, _ quality: Quality) -> Sample {
            Sample(point: formula.identifier, value: value, quality: quality, time: time)
        }
        write(inputs)
        let topic: StaticString = "point"
        let outcome = payload.withUnsafeBytes { payload in
            formula.program.evaluate(
                topic: UnsafeRawBufferPointer(start: topic.utf8Start, count: topic.utf8CodeUnitCount), payload: payload,
                publishedAt: time, context: &context, output: &output)
        }
        let worst = inputs.map(\.quality).max { $0.rank < $1.rank } ?? .good
        guard case .matched = outcome, let result = scalar(formula.type) else {
            return sample(nil, .bad(worst.reason ?? .notCalculated))
        }
        guard formula.type.holds(result) else { return sample(nil, .bad(.outOfRange)) }
        let (value, quality) = formula.conversion.value(result)
        // An expression may have an answer for values that are not there: coalesce(a, 0).
        if case .bad(let reason) = worst { return sample(value, value == nil ? quality : .uncertain(reason)) }
        return sample(value, worst.rank > quality.rank ? worst : quality)
    }

    private mutating func write(_ inputs: [Sample]) {
        payload.removeAll(keepingCapacity: true)
        var writer = JSONWriter(taking: &payload)
        writer.beginObject()
        for input in inputs {
            writer.name(input.point)
            writer.value(input.value)
        }
        writer.endObject()
        payload = writer.finish()
    }

    /// The result as a value of the point's type; nil if it is none.
    private func scalar(_ type: PointType) -> Value? {
        output.withUnsafeBytes { output in
            var scanner = JSONScanner()
            guard (try? scanner.scan(output)) != nil, let node = scanner.member("v", of: JSONScanner.root) else { return nil }
            return scanner.value(node, as: type)
        }
    }
}

extension CalculatedPoints.Formula {
    /// - Throws: what is wrong with the expression, at its place in it.
    init(_ point: MartletConfiguration.Product.Point, expression: String) throws(RuleError) {
        let before = "SELECT ("
        do throws(RuleError) {
            program = try RuleProgram(sql: "\(before)\(expression)\n) AS v FROM \"point\"")
        } catch {
            let lines = expression.split(separator: "\n", omittingEmptySubsequences: false)
            guard error.line <= lines.count else {
                throw RuleError(
                    line: lines.count, column: lines[lines.count - 1].unicodeScalars.count + 1,
                    message: "the expression ends too early")
            }
            throw RuleError(
                line: error.line, column: error.line == 1 ? error.column - before.unicodeScalars.count : error.column,
                message: error.message)
        }
        identifier = point.identifier
        type = point.type
        conversion = PointConversion(point)
        inputs = program.members.compactMap(\.self)
    }
}

extension Quality {
    /// Greater is worse.
    fileprivate var rank: Int {
        switch self {
        case .good: 0
        case .uncertain: 1
        case .bad: 2
        }
    }
}
