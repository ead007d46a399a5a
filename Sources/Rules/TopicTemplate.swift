import Core
import Payload

/// A topic with places that each message fills: `alarms/${topic[2]}/${payload.measurepoints.state}`.
///
/// * `${topic[n]}`: a level of the message's topic, counted from 1; the empty level before a leading slash does not count, so
///   `${topic[2]}` of `/sys/meter/m1/…` is `meter`. `${topic[-1]}` is the last level.
/// * `${topic}`: the whole topic.
/// * `${payload.path}`: a text, number or boolean of the payload, found as a rule finds it.
///
/// `$${` stands for `${`. A message cannot be given a topic, and ``expand(_:into:)`` answers false, when a value is absent,
/// NULL, an array or an object; when a payload value is empty or contains `/`, `+`, `#` or U+0000, which would move the
/// result to another place of the topic tree; when the topic is empty or longer than 65,535 bytes; and when it starts with
/// `$` though the template does not.
public struct TopicTemplate: Sendable {
    private enum Part {
        case literal(TextReference)
        case topic
        case level(Int64)
        case payload(UInt16)
    }

    /// The template's text.
    public let text: String
    private let parts: [Part]
    private let code: CompiledCode
    private let mayStartWithDollar: Bool

    /// Whether the payload is read, and so has to be JSON.
    public var needsPayload: Bool { code.needsJSON }

    /// - Throws: ``RuleError`` with the place in `text`.
    public init(_ text: String) throws(RuleError) {
        self.text = text
        let bytes = Array(text.utf8)
        guard bytes.count <= RuleLimits.maxLength else {
            throw RuleError("the topic is longer than \(RuleLimits.maxLength) bytes", at: RuleLimits.maxLength, of: bytes)
        }
        guard !bytes.isEmpty else { throw RuleError("the topic is empty", at: 0, of: bytes) }
        var code = ProgramCode()
        var parts: [Part] = []
        var literal: [UInt8] = []
        var at = 0
        func addLiteral() {
            guard !literal.isEmpty else { return }
            parts.append(.literal(TextReference(.literals, offset: code.literals.count, count: literal.count)))
            code.literals += literal
            literal = []
        }
        while at < bytes.count {
            if bytes[at...].starts(with: "$${".utf8) {
                literal += "${".utf8
                at += 3
            } else if bytes[at...].starts(with: "${".utf8) {
                addLiteral()
                guard let close = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else {
                    throw RuleError("${ without }", at: at, of: bytes)
                }
                parts.append(try Self.part(bytes[at + 2..<close], of: bytes, &code))
                at = close + 1
            } else {
                let byte = bytes[at]
                guard byte != UInt8(ascii: "+"), byte != UInt8(ascii: "#"), byte != 0 else {
                    throw RuleError("a topic to publish to has no +, # or U+0000", at: at, of: bytes)
                }
                literal.append(byte)
                at += 1
            }
        }
        addLiteral()
        self.parts = parts
        self.code = CompiledCode(code)
        mayStartWithDollar =
            switch parts.first {
            case .literal: bytes.first == UInt8(ascii: "$")
            case .topic: true
            default: false
            }
    }

    /// What stands between `${` and `}`.
    private static func part(
        _ inner: ArraySlice<UInt8>, of bytes: [UInt8], _ code: inout ProgramCode
    ) throws(RuleError) -> Part {
        let words = String(decoding: inner, as: UTF8.self)
        if words == "topic" { return .topic }
        if words.hasPrefix("topic["), words.hasSuffix("]"), let number = Int64(words.dropFirst(6).dropLast()), number != 0 {
            return .level(number)
        }
        guard words.hasPrefix("payload."), words.utf8.count > 8 else {
            throw RuleError(
                "expected topic, topic[number] or payload.path between ${ and }, found \(words)", at: inner.startIndex,
                of: bytes)
        }
        do throws(RuleError) {
            var compiler = try RuleCompiler(String(words.dropFirst(8)))
            let steps = try compiler.pathSteps()
            guard compiler.token.kind == .end else {
                throw RuleError(line: 1, column: 1, message: "expected } after the path")
            }
            let base = UInt32(truncatingIfNeeded: code.literals.count)
            code.literals += compiler.code.literals
            let start = code.steps.count
            for step in compiler.code.steps[steps] {
                switch step {
                case .member(let offset, let count): code.steps.append(.member(offset: base + offset, count: count))
                case .element: code.steps.append(step)
                }
            }
            code.paths.append(PayloadPath(steps: start..<code.steps.count))
            code.needsJSON = true
            return .payload(UInt16(truncatingIfNeeded: code.paths.count - 1))
        } catch {
            throw RuleError(error.message, at: inner.startIndex + 8, of: bytes)
        }
    }

    /// Writes the topic for the message that the context has loaded.
    ///
    /// - Parameter output: holds a valid topic name afterwards; empty if the answer is false.
    public func expand(_ context: inout EvaluationContext, into output: inout [UInt8]) -> Bool {
        output.removeAll(keepingCapacity: true)
        if code.needsJSON, context.scanPayload() != nil { return false }
        context.begin(code.view)
        for part in parts {
            guard append(part, &context, &output) else {
                output.removeAll(keepingCapacity: true)
                return false
            }
        }
        let isValid = output.withUnsafeBytes { TopicName.isValid($0) }
        if isValid, mayStartWithDollar || output.first != UInt8(ascii: "$") { return true }
        output.removeAll(keepingCapacity: true)
        return false
    }

    private func append(_ part: Part, _ context: inout EvaluationContext, _ output: inout [UInt8]) -> Bool {
        switch part {
        case .literal(let text):
            output.append(contentsOf: context.bytes(text))
        case .topic:
            output.append(contentsOf: context.topic)
        case .level(let number):
            guard let range = TopicLevels.range(of: number, in: context.topic) else { return false }
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: context.topic[range]))
        case .payload(let path):
            let value = context.scalar(at: path, code.view)
            if case .json = value { return false }
            guard let text = context.text(value) else { return false }
            let bytes = context.bytes(text)
            for byte in bytes where byte == UInt8(ascii: "/") { return false }
            guard TopicName.isValid(bytes) else { return false }
            output.append(contentsOf: bytes)
        }
        return output.count <= 65_535
    }
}
