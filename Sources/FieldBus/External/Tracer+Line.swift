import Core

extension Tracer {
    /// How much of a line is told.
    private static let maxLength = 2000

    /// A line that goes to a program or comes from it.
    func note(line: some Collection<UInt8>, _ direction: TracedFrame.Direction) {
        let told = line.prefix(Tracer.maxLength)
        note(direction, bytes: Array(told), text: Tracer.text(told, isWhole: told.count == line.count), isText: true)
    }

    private static func text(_ bytes: some Collection<UInt8>, isWhole: Bool) -> String {
        var text = String(decoding: bytes, as: UTF8.self)
        if text.hasSuffix("\n") { text.removeLast() }
        // A terminal must not be told what to do.
        text = String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
        return isWhole ? text : text + "…"
    }
}
