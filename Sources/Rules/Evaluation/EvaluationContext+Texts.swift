import Payload

// Texts. Room is made before any bytes are looked up, because making room may move the texts made so far.

extension EvaluationContext {
    /// A value as text: numbers as JSON has them, `true` and `false`, arrays and objects as their JSON. nil for NULL.
    mutating func text(_ value: SQLValue) -> TextReference? {
        let made: SQLValue
        switch value {
        case .null: return nil
        case .text(let text): return text
        case .boolean(let value): made = literal(value ? "true" : "false")
        case .integer(let value):
            made = make(atMost: DecimalText.maxLength) { _, room in DecimalText.write(value, to: room) }
        case .real(let value):
            made = make(atMost: DecimalText.maxLength) { _, room in DecimalText.write(value, to: room) }
        case .json(let node):
            let entry = scanner[node]
            return TextReference(.payload, offset: Int(entry.start), count: Int(entry.end) - Int(entry.start))
        }
        guard case .text(let text) = made else { return nil }
        return text
    }

    mutating func literal(_ text: StaticString) -> SQLValue {
        make(atMost: text.utf8CodeUnitCount) { _, room in
            room.copyMemory(from: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
            return text.utf8CodeUnitCount
        }
    }

    mutating func concat(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        guard let a = text(a), let b = text(b) else { return .null }
        guard made.reserve(Int(a.count) + Int(b.count)) else { return exceeded() }
        let start = made.count
        made.append(bytes(a))
        made.append(bytes(b))
        return .text(TextReference(.made, offset: start, count: made.count - start))
    }

    /// All arguments one after the other; NULL counts as nothing.
    mutating func concat(first: Int, count: Int) -> SQLValue {
        var total = 0
        for index in first..<first + count {
            guard let text = text(stack[index]) else {
                stack[index] = .null
                continue
            }
            stack[index] = .text(text)
            total += Int(text.count)
        }
        guard made.reserve(total) else { return exceeded() }
        let start = made.count
        for index in first..<first + count {
            if case .text(let text) = stack[index] { made.append(bytes(text)) }
        }
        return .text(TextReference(.made, offset: start, count: made.count - start))
    }

    mutating func exceeded() -> SQLValue {
        isExceeded = true
        return .null
    }

    /// ASCII letters change their case; all others stay.
    mutating func changedCase(_ value: SQLValue, toUpper: Bool) -> SQLValue {
        guard let text = text(value) else { return .null }
        return make(atMost: Int(text.count)) { context, room in
            let source = context.bytes(text)
            for index in 0..<source.count {
                let byte = source[index]
                let isLetter = (byte | 0x20) &- UInt8(ascii: "a") < 26
                room[index] = isLetter ? (toUpper ? byte & ~0x20 : byte | 0x20) : byte
            }
            return source.count
        }
    }

    /// Unicode scalars of a text, elements of an array, members of an object.
    mutating func length(_ value: SQLValue) -> SQLValue {
        if case .json(let node) = value {
            var count: Int64 = 0
            var child = scanner.first(in: node)
            let step = scanner[node].kind == .object ? 1 : 0
            while let current = child {
                count += 1
                child = scanner.next(after: current + step, in: node)
            }
            return .integer(count)
        }
        guard let text = text(value) else { return .null }
        var count: Int64 = 0
        for byte in bytes(text) where byte & 0xC0 != 0x80 { count += 1 }
        return .integer(count)
    }

    /// The scalars from position `start`, counted from 1, or from the end if it is negative; to the end without `count`.
    mutating func substring(_ value: SQLValue, _ start: SQLValue, _ count: SQLValue?) -> SQLValue {
        guard let text = text(value), case .integer(var first) = whole(start) else { return .null }
        var wanted = Int64.max
        if let count {
            guard case .integer(let number) = whole(count) else { return .null }
            wanted = number
        }
        let source = bytes(text)
        if first < 0 {
            var total: Int64 = 0
            for byte in source where byte & 0xC0 != 0x80 { total += 1 }
            first = max(first, -total - 1) + total + 1
        }
        // Positions first ..< last, cut to what there is.
        let last = first.addingReportingOverflow(max(wanted, 0))
        let end = last.overflow ? Int64.max : last.partialValue
        var position: Int64 = 0
        var from = source.count
        var to = source.count
        for index in 0..<source.count where source[index] & 0xC0 != 0x80 {
            position += 1
            if position >= first, from == source.count, position < end { from = index }
            if position >= end {
                to = index
                break
            }
        }
        return .text(part(of: text, from, max(from, to)))
    }

    private func part(of text: TextReference, _ from: Int, _ to: Int) -> TextReference {
        TextReference(text.region, offset: Int(text.offset) + from, count: to - from)
    }

    /// Without white space at its ends.
    mutating func trim(_ value: SQLValue, start: Bool, end: Bool) -> SQLValue {
        guard let text = text(value) else { return .null }
        let source = bytes(text)
        let rest = trimmed(source, start: start, end: end)
        guard let base = source.baseAddress, let restBase = rest.baseAddress else { return .text(text) }
        let from = restBase - base
        return .text(part(of: text, from, from + rest.count))
    }

    func trimmed(_ text: UnsafeRawBufferPointer, start: Bool, end: Bool) -> UnsafeRawBufferPointer {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte >= 0x09 && byte <= 0x0D }
        var from = 0
        var to = text.count
        while start, from < to, isSpace(text[from]) { from += 1 }
        while end, to > from, isSpace(text[to - 1]) { to -= 1 }
        return UnsafeRawBufferPointer(rebasing: text[from..<to])
    }

    mutating func replace(_ value: SQLValue, _ old: SQLValue, _ new: SQLValue) -> SQLValue {
        guard let text = self.text(value), let old = self.text(old), let new = self.text(new) else { return .null }
        if old.count == 0 { return .text(text) }
        let start = made.count
        var at = 0
        while at <= Int(text.count) {
            let found = firstOffset(of: old, in: text, from: at)
            let end = found ?? Int(text.count)
            let added = end - at + (found == nil ? 0 : Int(new.count))
            guard spend(added + Int(old.count)), made.reserve(added) else { return exceeded() }
            made.append(UnsafeRawBufferPointer(rebasing: bytes(text)[at..<end]))
            guard found != nil else { break }
            made.append(bytes(new))
            at = end + Int(old.count)
        }
        return .text(TextReference(.made, offset: start, count: made.count - start))
    }

    enum Place { case start, end, anywhere }

    /// Whether `part` stands in `value`.
    mutating func has(_ value: SQLValue, _ part: SQLValue, at place: Place) -> SQLValue {
        guard let text = text(value), let part = self.text(part) else { return .null }
        let (whole, piece) = (bytes(text), bytes(part))
        guard piece.count <= whole.count else { return .boolean(false) }
        switch place {
        case .start: return .boolean(whole.prefix(piece.count).elementsEqual(piece))
        case .end: return .boolean(whole.suffix(piece.count).elementsEqual(piece))
        case .anywhere: return .boolean(firstOffset(of: part, in: text, from: 0) != nil)
        }
    }

    /// Where `part` stands first. What is compared is charged as work, since a hostile text makes it the product of both
    /// lengths.
    private mutating func firstOffset(of part: TextReference, in text: TextReference, from start: Int) -> Int? {
        let (whole, piece) = (bytes(text), bytes(part))
        if piece.count == 0 { return start }
        let first = piece[0]
        var at = start
        while at <= whole.count - piece.count {
            guard whole[at] == first else {
                at += 1
                continue
            }
            var matched = 1
            while matched < piece.count, whole[at + matched] == piece[matched] { matched += 1 }
            if matched == piece.count { return at }
            guard spend(matched) else { return nil }
            at += 1
        }
        return nil
    }
}
