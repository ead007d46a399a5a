public import Core
import Payload

/// The memory in which rules are evaluated, kept from message to message so that evaluation allocates nothing once it is
/// large enough. One context serves any number of rules, one after the other, on one thread.
///
/// Several rules can be evaluated for one message that is scanned once:
///
///     context.load(topic: topic, payload: payload, publishedAt: time)
///     for rule in rules { rule.evaluate(&context, output: &output) … }
///     context.unload()
public struct EvaluationContext: ~Copyable {
    enum PayloadState {
        case unread
        case json
        case invalid(JSONError)
    }

    var scanner = JSONScanner()
    var payloadState = PayloadState.unread
    var topic = UnsafeRawBufferPointer(start: nil, count: 0)
    var payload = UnsafeRawBufferPointer(start: nil, count: 0)
    var publishedAt = Timestamp(milliseconds: 0)

    /// The code that is being evaluated.
    var literals = UnsafeRawBufferPointer(start: nil, count: 0)

    var stack: UnsafeMutablePointer<SQLValue>
    var stackCapacity = 32
    /// Texts made during the evaluation.
    var made = TextArena()
    /// Steps that searches may still take.
    var work = 0
    /// Set when a limit ended a calculation, whose value then counts for nothing.
    var isExceeded = false

    public init() {
        stack = .allocate(capacity: stackCapacity)
    }

    deinit { stack.deallocate() }

    /// Takes a message for the evaluations that follow. The caller keeps the bytes alive and unchanged until ``unload()`` or
    /// the next `load`.
    ///
    /// - Parameters:
    ///   - topic: a valid topic name in UTF-8.
    ///   - publishedAt: what `now()` answers.
    public mutating func load(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, publishedAt: Timestamp
    ) {
        self.topic = topic
        self.payload = payload
        self.publishedAt = publishedAt
        payloadState = .unread
    }

    /// Forgets the message.
    public mutating func unload() {
        topic = UnsafeRawBufferPointer(start: nil, count: 0)
        payload = topic
        literals = topic
        payloadState = .unread
        scanner.reset()
        made.reset()
    }

    /// Scans the payload unless that has been done. Returns what is wrong with it.
    mutating func scanPayload() -> JSONError? {
        switch payloadState {
        case .json: return nil
        case .invalid(let error): return error
        case .unread: break
        }
        do throws(JSONError) {
            try scanner.scan(payload)
            payloadState = .json
            return nil
        } catch {
            payloadState = .invalid(error)
            return error
        }
    }

    /// Prepares for code that needs so many values on the stack.
    mutating func begin(_ code: CompiledCode.View) {
        literals = code.literals
        isExceeded = false
        work = RuleLimits.maxWork
        made.reset()
        if code.stackDepth > stackCapacity {
            stack.deallocate()
            stackCapacity = code.stackDepth
            stack = .allocate(capacity: stackCapacity)
        }
    }

    /// A text's bytes, until the next text is made.
    @inline(__always)
    func bytes(_ text: TextReference) -> UnsafeRawBufferPointer {
        let region =
            switch text.region {
            case .literals: literals
            case .topic: topic
            case .payload: payload
            case .made: made.bytes
            }
        let start = Int(text.offset)
        return UnsafeRawBufferPointer(rebasing: region[start..<start + Int(text.count)])
    }

    /// Counts steps of a search. False when too many have been taken.
    @inline(__always)
    mutating func spend(_ steps: Int) -> Bool {
        work -= steps
        if work < 0 { isExceeded = true }
        return work >= 0
    }
}
