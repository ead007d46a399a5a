public import Core
import Payload

/// A rule, compiled: `SELECT column [AS name], … FROM "topic/filter", … [WHERE condition]`.
///
/// The article <doc:SQL> describes the language. A rule sees one message at a time and keeps nothing between them.
public final class RuleProgram: Sendable {
    /// The rule's text.
    public let sql: String
    /// What to subscribe to. Evaluation does not look at them again.
    public let filters: [TopicFilter]

    private let code: CompiledCode
    private let condition: Range<Int>?
    private let columns: [Column]

    /// Compiles a rule.
    ///
    /// - Throws: ``RuleError`` with the place in `sql` and what is expected there.
    public init(sql: String) throws(RuleError) {
        var compiler = try RuleCompiler(sql)
        try compiler.compile()
        self.sql = sql
        filters = compiler.filters
        condition = compiler.condition
        columns = compiler.columns
        code = CompiledCode(compiler.code)
    }

    /// The members of the payload at which the rule's paths begin, each once; nil for a path that is the whole payload.
    public var members: [String?] {
        var names: [String?] = []
        let view = code.view
        for path in view.paths {
            var name: String?
            if let first = path.steps.first, case .member(let offset, let count) = view.steps[first] {
                name = String(decoding: view.literals[Int(offset)..<Int(offset) + Int(count)], as: UTF8.self)
            }
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// Evaluates the rule for one message.
    ///
    /// Allocates nothing for a message that does not match, once the context has grown to its size: up to 16,384 values in
    /// the payload and 64 KiB of text made. The memory that a larger one needs is given back after it. (The text of a number
    /// with more than 15 characters is the exception.)
    ///
    /// - Parameters:
    ///   - topic: a valid topic name in UTF-8.
    ///   - publishedAt: what `now()` answers.
    ///   - output: holds the result, a JSON object, if the message matches; its capacity is kept. Otherwise it is unchanged,
    ///     or empty after a failure.
    public func evaluate(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, publishedAt: Timestamp,
        context: inout EvaluationContext, output: inout [UInt8]
    ) -> Outcome {
        context.load(topic: topic, payload: payload, publishedAt: publishedAt)
        let outcome = evaluate(&context, output: &output)
        context.unload()
        return outcome
    }

    /// Evaluates the rule for the message that the context has loaded.
    public func evaluate(_ context: inout EvaluationContext, output: inout [UInt8]) -> Outcome {
        if code.needsJSON, let error = context.scanPayload() { return .failed(.payloadNotJSON(error)) }
        let view = code.view
        context.begin(view)
        if let condition {
            let value = context.run(condition, of: view)
            if context.isExceeded { return .failed(.limitExceeded) }
            guard context.truth(value) == .true else { return .noMatch }
        }
        output.removeAll(keepingCapacity: true)
        var writer = JSONWriter(taking: &output)
        let failure = write(&writer, &context, view)
        output = writer.finish()
        guard let failure else { return .matched }
        output.removeAll(keepingCapacity: true)
        return .failed(failure)
    }

    /// Writes the result.
    private func write(
        _ writer: inout JSONWriter, _ context: inout EvaluationContext, _ view: CompiledCode.View
    ) -> Outcome.Failure? {
        writer.beginObject()
        for column in columns {
            switch column.content {
            case .members(let path):
                if let failure = writeMembers(path, &writer, &context, view) { return failure }
            case .path(let path):
                writer.name(utf8: context.bytes(column.name))
                if let node = context.node(at: path, view) {
                    writer.raw(context.scanner.raw(context.measuredValue(node)))
                } else {
                    writer.null()
                }
            case .expression(let range):
                // The texts of one column are not needed by the next.
                context.made.reset()
                let value = context.run(range, of: view)
                if context.isExceeded { return .limitExceeded }
                writer.name(utf8: context.bytes(column.name))
                context.write(value, to: &writer)
            }
            if writer.bytes.count > RuleLimits.maxOutput { return .limitExceeded }
        }
        writer.endObject()
        return nil
    }

    /// The members of an object, except those that a column of their name replaces.
    private func writeMembers(
        _ path: UInt16, _ writer: inout JSONWriter, _ context: inout EvaluationContext, _ view: CompiledCode.View
    ) -> Outcome.Failure? {
        guard let object = context.node(at: path, view), context.scanner[object].kind == .object else {
            return view.paths[Int(path)].steps.isEmpty ? .payloadNotAnObject : nil
        }
        var name = context.scanner.first(in: object)
        while let node = name {
            if !isColumn(node, context) {
                writer.name(json: context.scanner.raw(node))
                writer.raw(context.scanner.raw(node + 1))
            }
            name = context.scanner.next(after: node + 1, in: object)
        }
        return nil
    }

    private func isColumn(_ node: Int, _ context: borrowing EvaluationContext) -> Bool {
        for column in columns {
            if case .members = column.content { continue }
            if context.scanner.isName(node, context.bytes(column.name)) { return true }
        }
        return false
    }
}

extension EvaluationContext {
    /// A value as JSON.
    func write(_ value: SQLValue, to writer: inout JSONWriter) {
        switch value {
        case .null: writer.null()
        case .boolean(let value): writer.bool(value)
        case .integer(let value): writer.integer(value)
        case .real(let value): writer.real(value)
        case .text(let text): writer.string(utf8: bytes(text))
        case .json(let node): writer.raw(scanner.raw(node))
        }
    }
}
