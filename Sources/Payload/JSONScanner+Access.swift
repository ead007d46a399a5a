// Finding and reading values of a scanned text. A node number that the scanner did not give out is answered with nil or
// nothing, not with a trap.

extension JSONScanner {
    /// The node with that number; a `null` of no length if there is none.
    public subscript(node: Int) -> JSONNode {
        @inline(__always) get {
            node >= 0 && node < nodeCount ? nodes[node] : JSONNode(kind: .null, start: 0, end: 0, next: 0)
        }
    }

    /// The value of the first member of `object` with that name, given as UTF-8 without quotes or escapes.
    public func member(_ name: UnsafeRawBufferPointer, of object: Int) -> Int? {
        guard self[object].kind == .object, object < nodeCount else { return nil }
        let end = Int(nodes[object].next)
        var at = object + 1
        while at + 1 < end {
            if isName(at, name) { return at + 1 }
            at = Int(nodes[at + 1].next)
        }
        return nil
    }

    /// As ``member(_:of:)-(UnsafeRawBufferPointer,_)`` for a name known when the program was written.
    public func member(_ name: StaticString, of object: Int) -> Int? {
        member(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), of: object)
    }

    /// The whole number that the member of `object` with that name is; nil if there is none or it is something else.
    public func integer(_ name: StaticString, of object: Int) -> Int64? {
        guard let member = member(name, of: object), case .int(let value)? = number(member) else { return nil }
        return value
    }

    /// The element of `array` at a position counted from 0.
    public func element(_ index: Int, of array: Int) -> Int? {
        guard index >= 0, array < nodeCount, self[array].kind == .array else { return nil }
        let end = Int(nodes[array].next)
        var at = array + 1
        var left = index
        while at < end {
            if left == 0 { return at }
            left -= 1
            at = Int(nodes[at].next)
        }
        return nil
    }

    /// The first name in an object or the first element of an array; nil if it is empty or something else.
    ///
    /// The value of the name at `n` is node `n + 1`; the name or element after a value `v` is ``next(after:in:)``.
    public func first(in container: Int) -> Int? {
        let node = self[container]
        guard node.kind == .object || node.kind == .array, container + 1 < Int(node.next) else { return nil }
        return container + 1
    }

    /// The name or element that follows the value `value` in `container`.
    public func next(after value: Int, in container: Int) -> Int? {
        let next = Int(self[value].next)
        return next > value && next < Int(self[container].next) ? next : nil
    }

    /// The JSON text of a value, quotes and brackets included.
    public func raw(_ node: Int) -> UnsafeRawBufferPointer {
        let node = self[node]
        return UnsafeRawBufferPointer(rebasing: bytes[Int(node.start)..<Int(node.end)])
    }

    /// The text between the quotes of a string or name, with its escapes; empty for everything else.
    public func rawText(_ node: Int) -> UnsafeRawBufferPointer {
        let node = self[node]
        guard node.kind == .string else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: bytes[Int(node.start) + 1..<Int(node.end) - 1])
    }

    /// Whether a string or name reads `text`.
    @inline(__always)
    public func isName(_ node: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        let name = rawText(node)
        if self[node].isEscaped { return JSONText.isEqual(escaped: name, text) }
        guard name.count == text.count else { return false }
        for index in 0..<name.count where name[index] != text[index] { return false }
        return true
    }

    /// Appends what a string means to `output`, and nothing for everything else.
    public func appendText(_ node: Int, to output: inout [UInt8]) {
        let text = rawText(node)
        if self[node].isEscaped {
            var unescaper = JSONText.Unescaper(text)
            while let scalar = unescaper.next() { output.append(contentsOf: Character(scalar).utf8) }
        } else {
            output.append(contentsOf: text)
        }
    }

    /// A string's text. Allocates; not for the data path.
    public func string(_ node: Int) -> String? {
        guard self[node].kind == .string else { return nil }
        var text: [UInt8] = []
        appendText(node, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// A number's value; nil for everything else and for a number beyond the range of a `Double`.
    public func number(_ node: Int) -> JSONNumber? {
        guard self[node].kind == .number else { return nil }
        return JSONNumber(raw(node))
    }
}
