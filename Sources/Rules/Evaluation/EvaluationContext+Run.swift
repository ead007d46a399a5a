// The stack machine. A run starts with an empty stack and leaves one value. The compiler has counted the values, so the stack
// is never too small, and every jump leads forward and stays inside of the range.

extension EvaluationContext {
    /// Evaluates the instructions of one expression.
    mutating func run(_ range: Range<Int>, of code: CompiledCode.View) -> SQLValue {
        var top = -1
        var place = range.lowerBound
        while place < range.upperBound {
            switch code.instructions[place] {
            case .pushNull: push(.null, &top)
            case .pushBoolean(let value): push(.boolean(value), &top)
            case .pushInteger(let value): push(.integer(value), &top)
            case .pushReal(let value): push(.real(value), &top)
            case .pushText(let text): push(.text(text), &top)

            case .load(let path): push(scalar(at: path, code), &top)
            case .loadJSON(let path): push(json(at: path, code), &top)
            case .exists(let path): push(.boolean(node(at: path, code) != nil), &top)
            case .quality(let path): push(member("quality", at: path, code), &top)
            case .reason(let path): push(member("reason", at: path, code), &top)

            case .duplicate: push(stack[top], &top)
            case .negate: stack[top] = negate(stack[top])
            case .not: stack[top] = not(stack[top])
            case .add: binary(&top) { $0.add($1, $2) }
            case .subtract: binary(&top) { $0.subtract($1, $2) }
            case .multiply: binary(&top) { $0.multiply($1, $2) }
            case .divide: binary(&top) { $0.divide($1, $2) }
            case .remainder: binary(&top) { $0.remainder($1, $2) }
            case .concat: binary(&top) { $0.concat($1, $2) }
            case .equal: compare(&top) { $0 == 0 }
            case .notEqual: compare(&top) { $0 != 0 }
            case .less: compare(&top) { $0 < 0 }
            case .lessOrEqual: compare(&top) { $0 <= 0 }
            case .greater: compare(&top) { $0 > 0 }
            case .greaterOrEqual: compare(&top) { $0 >= 0 }
            case .and: binary(&top) { $0.and($1, $2) }
            case .or: binary(&top) { $0.or($1, $2) }

            case .jumpIfFalse(let distance):
                if truth(stack[top]) == .false {
                    stack[top] = .boolean(false)
                    place += Int(distance)
                    continue
                }
            case .jumpIfTrue(let distance):
                if truth(stack[top]) == .true {
                    stack[top] = .boolean(true)
                    place += Int(distance)
                    continue
                }
            case .jumpUnlessNull(let distance):
                if !stack[top].isNull {
                    place += Int(distance)
                    continue
                }
                top -= 1
            case .popJumpUnlessTrue(let distance):
                top -= 1
                if truth(stack[top + 1]) != .true {
                    place += Int(distance)
                    continue
                }
            case .jump(let distance):
                place += Int(distance)
                continue
            case .pop: top -= 1

            case .isNull(let negated): stack[top] = .boolean(stack[top].isNull != negated)
            case .isTruth(let wanted, let negated):
                stack[top] = .boolean((truth(stack[top]) == Truth(wanted)) != negated)
            case .inList(let count, let negated): inList(Int(count), negated, &top)
            case .between(let negated): between(negated, &top)
            case .like(let escape, let negated): binary(&top) { $0.like($1, $2, escape: escape, negated: negated) }
            case .cast(let type): stack[top] = cast(stack[top], to: type)
            case .call(let function, let count):
                top -= Int(count)
                let result = call(function, first: top + 1, count: Int(count))
                push(result, &top)
            }
            place += 1
        }
        return top >= 0 ? stack[top] : .null
    }

    @inline(__always)
    private mutating func push(_ value: SQLValue, _ top: inout Int) {
        top += 1
        stack[top] = value
    }

    @inline(__always)
    private mutating func binary(
        _ top: inout Int, _ operation: (inout EvaluationContext, SQLValue, SQLValue) -> SQLValue
    ) {
        top -= 1
        stack[top] = operation(&self, stack[top], stack[top + 1])
    }

    @inline(__always)
    private mutating func compare(_ top: inout Int, _ holds: (Int) -> Bool) {
        top -= 1
        if let order = order(stack[top], stack[top + 1]) {
            stack[top] = .boolean(holds(order))
        } else {
            stack[top] = .null
        }
    }

    /// `x IN (a, b…)`: TRUE if one is equal, else NULL if one comparison is NULL, else FALSE.
    private mutating func inList(_ count: Int, _ negated: Bool, _ top: inout Int) {
        top -= count
        var result = Truth.false
        for index in 1...max(count, 1) {
            guard let order = order(stack[top], stack[top + index]) else {
                result = .unknown
                continue
            }
            if order == 0 {
                result = .true
                break
            }
        }
        stack[top] = negated ? not(result.value) : result.value
    }

    /// `x BETWEEN a AND b` is `x >= a AND x <= b`.
    private mutating func between(_ negated: Bool, _ top: inout Int) {
        top -= 2
        let low = order(stack[top], stack[top + 1]).map { Truth($0 >= 0) } ?? .unknown
        let high = order(stack[top], stack[top + 2]).map { Truth($0 <= 0) } ?? .unknown
        let result = and(low.value, high.value)
        stack[top] = negated ? not(result) : result
    }
}
