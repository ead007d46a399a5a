import Core

/// A dictionary by text whose keys are equal only if their bytes are: [MQTT-4.7.3-4] nothing that arrives as text is
/// normalized ([MQTT-3.1.3-2] nor are client identifiers), and to `String` a composed and a decomposed "é" are the same.
struct ExactDictionary<Value>: Sequence {
    private struct Key: Hashable {
        let text: String

        static func == (a: Key, b: Key) -> Bool {
            var (a, b) = (a.text, b.text)
            return a.withUTF8 { a in b.withUTF8 { UnsafeRawBufferPointer(a).hasSameBytes(as: UnsafeRawBufferPointer($0)) } }
        }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    private var content: [Key: Value] = [:]

    var count: Int { content.count }
    var isEmpty: Bool { content.isEmpty }
    var keys: some Sequence<String> { content.keys.lazy.map(\.text) }
    var values: some Collection<Value> { content.values }

    subscript(text: String) -> Value? {
        get { content[Key(text: text)] }
        set { content[Key(text: text)] = newValue }
    }

    @discardableResult
    mutating func removeValue(forKey text: String) -> Value? { content.removeValue(forKey: Key(text: text)) }

    mutating func removeAll() { content.removeAll() }

    func makeIterator() -> some IteratorProtocol<(key: String, value: Value)> {
        content.lazy.map { (key: $0.key.text, value: $0.value) }.makeIterator()
    }
}
