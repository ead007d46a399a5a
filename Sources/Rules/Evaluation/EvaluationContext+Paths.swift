import Payload

// Where a path leads. Its first name is looked up among the members of the payload and, if it is not there and the payload
// is a device envelope, that is, an object with an object `params`, among the members of `params`.

extension EvaluationContext {
    /// The node at a path; nil if there is none.
    func node(at path: UInt16, _ code: CompiledCode.View) -> Int? {
        let steps = code.paths[Int(path)].steps
        var node = JSONScanner.root
        guard scanner.nodeCount > 0 else { return nil }
        for place in steps {
            switch code.steps[place] {
            case .member(let offset, let count):
                let start = Int(offset)
                let name = UnsafeRawBufferPointer(rebasing: code.literals[start..<start + Int(count)])
                if let found = scanner.member(name, of: node) {
                    node = found
                } else if place == steps.lowerBound, let params = scanner.member("params", of: JSONScanner.root),
                    let found = scanner.member(name, of: params)
                {
                    node = found
                } else {
                    return nil
                }
            case .element(let index):
                guard let found = scanner.element(Int(index), of: node) else { return nil }
                node = found
            }
        }
        return node
    }

    /// The value of an object with `value` and `quality`, else the node itself.
    func measuredValue(_ node: Int) -> Int {
        guard scanner[node].kind == .object, scanner.member("quality", of: node) != nil,
            let value = scanner.member("value", of: node)
        else { return node }
        return value
    }

    /// The value at a path, NULL if there is none.
    mutating func scalar(at path: UInt16, _ code: CompiledCode.View) -> SQLValue {
        guard let node = node(at: path, code) else { return .null }
        return value(of: measuredValue(node))
    }

    /// The value at a path without looking into an object with `value` and `quality`.
    mutating func json(at path: UInt16, _ code: CompiledCode.View) -> SQLValue {
        guard let node = node(at: path, code) else { return .null }
        return value(of: node)
    }

    /// A member of the object at a path.
    mutating func member(_ name: StaticString, at path: UInt16, _ code: CompiledCode.View) -> SQLValue {
        guard let node = node(at: path, code), let member = scanner.member(name, of: node) else { return .null }
        return value(of: member)
    }

    /// A payload value as SQL has it: a whole number that fits 64 bits is an INTEGER, any other number a REAL, and a number
    /// beyond a `Double` NULL.
    mutating func value(of node: Int) -> SQLValue {
        let entry = scanner[node]
        switch entry.kind {
        case .null: return .null
        case .true: return .boolean(true)
        case .false: return .boolean(false)
        case .array, .object: return .json(node)
        case .number:
            switch scanner.number(node) {
            case .int(let value): return .integer(value)
            case .uint(let value): return .real(Double(value))
            case .double(let value): return .finite(value)
            case nil: return .null
            }
        case .string:
            let length = Int(entry.end) - Int(entry.start) - 2
            if !entry.isEscaped { return .text(TextReference(.payload, offset: Int(entry.start) + 1, count: length)) }
            return make(atMost: length) { context, room in
                JSONText.unescape(context.scanner.rawText(node), into: room)
            }
        }
    }

    /// A text of at most `size` bytes that `write` writes into the room that it is given; NULL if that is too much.
    @inline(__always)
    mutating func make(
        atMost size: Int, _ write: (borrowing EvaluationContext, UnsafeMutableRawBufferPointer) -> Int
    ) -> SQLValue {
        guard made.reserve(size) else {
            isExceeded = true
            return .null
        }
        let start = made.count
        let length = write(self, made.room)
        made.take(length)
        return .text(TextReference(.made, offset: start, count: length))
    }
}
